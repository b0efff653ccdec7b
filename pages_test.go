package scangate

import (
	"image"
	"image/color"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rsc.io/qr"
)

func newTestPages(t *testing.T, options ...func(*Config)) *pages {
	t.Helper()
	config := Config{AppName: "Example", BasePath: "/wechat", Languages: []string{"zh", "en"}}
	for _, option := range options {
		option(&config)
	}
	p, err := newPages(&config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLanguages(t *testing.T) {
	both := newTestPages(t)
	english := newTestPages(t, func(c *Config) { c.Languages = []string{"en", "zh"} })
	only := newTestPages(t, func(c *Config) { c.Languages = []string{"en"} })
	for _, c := range []struct {
		pages        *pages
		header, want string
	}{
		{both, "", "zh"},
		{both, "fr", "zh"},
		{both, "en", "en"},
		{both, "en-GB,en;q=0.9", "en"},
		{both, "zh-CN,zh;q=0.9,en;q=0.8", "zh"},
		{both, "en;q=0.5, zh;q=0.9", "zh"},
		{both, "fr, en;q=0.4", "en"},
		{both, "EN-us", "en"},
		{both, "zh-TW", "zh"},
		{both, "en;q=0", "zh"},
		{both, "en;q=x", "zh"},
		{both, strings.Repeat("a,", 100_000) + "en", "zh"},
		{english, "", "en"},
		{english, "fr", "en"},
		{english, "zh-CN", "zh"},
		{only, "", "en"},
		{only, "zh-CN", "en"},
	} {
		if got := c.pages.languageFor(c.header).tag; got != c.want {
			t.Errorf("%.40q: %s, want %s", c.header, got, c.want)
		}
	}
}

func TestTexts(t *testing.T) {
	p := newTestPages(t)
	zh, en := p.languages[0].texts, p.languages[1].texts
	place := regexp.MustCompile(`\{\w+\}`)
	for key, text := range zh {
		inZH, inEN := place.FindAllString(text, -1), place.FindAllString(en[key], -1)
		slices.Sort(inZH)
		slices.Sort(inEN)
		if en[key] == "" || text == "" || !slices.Equal(inZH, inEN) || strings.ContainsAny(text+en[key], "%<>") {
			t.Errorf("%s: %q in English, %q in Chinese", key, en[key], text)
		}
	}
	if len(en) != len(zh) {
		t.Errorf("%d texts in English, %d in Chinese", len(en), len(zh))
	}
	for _, f := range append(failures, failureOf(image.ErrFormat)) {
		for _, part := range []string{".heading", ".text"} {
			if _, ok := zh["error."+f.code+part]; !ok {
				t.Errorf("no text error.%s%s", f.code, part)
			}
		}
	}
}

// TestTextsAreUsed fails for a text that no page has, and for one that a page
// asks for and nobody wrote.
func TestTextsAreUsed(t *testing.T) {
	texts := newTestPages(t).languages[0].texts
	unused := maps.Clone(texts)
	see := func(page, name, key string) {
		found := false
		for _, k := range []string{name + key, name + key + ".link", strings.TrimPrefix(key, ".")} {
			if _, ok := texts[k]; ok {
				found = true
				delete(unused, k)
			}
		}
		if !found {
			t.Errorf("%s.html: no text %s%s", page, name, key)
		}
	}
	used := regexp.MustCompile(`\.T "([^"]+)"`)
	names := map[string][]string{"done": {"done.approved", "done.denied"}, "message": {"error.unavailable"}}
	for _, f := range failures {
		names["message"] = append(names["message"], "error."+f.code)
	}
	for page := range fullSamples {
		source, err := pageFiles.ReadFile("pages/" + page + ".html")
		if err != nil {
			t.Fatal(err)
		}
		called := names[page]
		if called == nil {
			called = []string{page}
		}
		for _, m := range used.FindAllStringSubmatch(string(source), -1) {
			for _, name := range called {
				if !strings.HasPrefix(m[1], ".") {
					name = ""
				}
				see(page, name, m[1])
			}
		}
	}
	layout, err := pageFiles.ReadFile("pages/layout.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range used.FindAllStringSubmatch(string(layout), -1) {
		if m[1] != ".heading" { // which each page's own <h1> asks for, too
			see("layout", "", m[1])
		}
	}
	for key := range unused {
		t.Errorf("no page uses %s", key)
	}
}

func TestT(t *testing.T) {
	p := newTestPages(t, func(c *Config) { c.AppName = "{phone} & 100 %s" })
	data := PageData{pages: p, lang: p.languages[1], Name: "finish", Phone: "{app}"}
	for _, c := range []struct{ purpose, key, want string }{
		{"", ".go", "Continue"},
		{"link", ".go", "Add"},
		{"link", ".again", "Try again"},
		{"", "confirm.heading", "Log in to {phone} & 100 %s?"},
		{"", "phone.sent", "The code was sent to {app}."},
		{"", "nothing", "nothing"},
		{"", ".nothing", ".nothing"},
	} {
		data.Purpose = c.purpose
		if got := data.T(c.key); got != c.want {
			t.Errorf("%s for %q: %q, want %q", c.key, c.purpose, got, c.want)
		}
	}
}

func TestAssets(t *testing.T) {
	p := newTestPages(t)
	for name, a := range p.assets {
		if !regexp.MustCompile(`^(style|script)-[0-9a-f]{12}\.(css|js)$`).MatchString(name) || a.contentType == "" {
			t.Errorf("%s, %q", name, a.contentType)
		}
	}
	other := newTestPages(t, func(c *Config) { c.AccentColor = "#1677ff" })
	if p.names["style.css"] == other.names["style.css"] || p.names["script.js"] != other.names["script.js"] {
		t.Errorf("the accent colour changes %v to %v", p.names, other.names)
	}
}

// TestWeight holds the pages to what a slow phone can load: all of them, in
// both languages, without compression.
func TestWeight(t *testing.T) {
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	t.Logf("%d bytes", total)
	if total > 30_000 {
		t.Errorf("the pages have %d bytes", total)
	}
}

func TestAccentCanBeRead(t *testing.T) {
	style, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		t.Fatal(err)
	}
	value := regexp.MustCompile(`--(accent|card): ?(#[0-9a-f]+)`)
	builtin := value.FindAllStringSubmatch(string(style), -1)
	if len(builtin) != 4 || builtin[0][2] != "#fff" || builtin[2][2] != darkCard {
		t.Fatalf("the cards are %v, want %s and %s", builtin, lightCard, darkCard)
	}
	for i, card := range []string{lightCard, darkCard} {
		a, _ := parseColor(builtin[2*i+1][2])
		b, _ := parseColor(card)
		if got := contrast(a, b); got < 4.5 {
			t.Errorf("the built-in accent on %s has a contrast of %.2f", card, got)
		}
	}
	for _, accent := range []string{"#000000", "#ffffff", "#1677ff", "#ffeb3b", "#07c160", "#FF0000", "#808080", "#0000ff", "#191c1f"} {
		shades := regexp.MustCompile(`--accent:(#[0-9a-f]{6})}`).FindAllStringSubmatch(accentRules(accent), -1)
		if len(shades) != 2 {
			t.Fatalf("%s: %s", accent, accentRules(accent))
		}
		for i, card := range []string{lightCard, darkCard} {
			a, _ := parseColor(shades[i][1])
			b, _ := parseColor(card)
			if got := contrast(a, b); got < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f", accent, shades[i][1], card, got)
			}
		}
	}
	if got, want := accentRules("#07863f"), ":root{--accent:#07863f}"; !strings.HasPrefix(got, want) {
		t.Errorf("a colour that can be read became %s", got)
	}
}

// TestQRCodeSVG draws the path again and compares it with the code.
func TestQRCodeSVG(t *testing.T) {
	code, err := qr.Encode("https://app.example.com/wechat/scan/ABCDEFGHIJKLMNOPQRSTUVWXYZ", qr.M)
	if err != nil {
		t.Fatal(err)
	}
	svg := string(qrSVG(code))
	size := code.Size + 2*quietZone
	drawn := image.NewGray(image.Rect(0, 0, size, size))
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1H(\d+)z`).FindAllStringSubmatch(svg, -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		width, _ := strconv.Atoi(m[3])
		if m[4] != m[1] {
			t.Fatalf("a run that does not close: %v", m)
		}
		for i := range width {
			drawn.SetGray(x+i, y, color.Gray{1})
		}
	}
	for y := range size {
		for x := range size {
			if black := drawn.GrayAt(x, y).Y == 1; black != code.Black(x-quietZone, y-quietZone) {
				t.Fatalf("module %d, %d is wrong", x, y)
			}
		}
	}
}
