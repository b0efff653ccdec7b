package scangate

import (
	"image"
	"image/color"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rsc.io/qr"
)

func newTestPages(t *testing.T) *pages {
	t.Helper()
	p, err := newPages(&Config{AppName: "Example", BasePath: "/wechat"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLanguages(t *testing.T) {
	p := newTestPages(t)
	for header, want := range map[string]string{
		"": "zh", "fr": "zh", "en": "en", "en-GB,en;q=0.9": "en", "zh-CN,zh;q=0.9,en;q=0.8": "zh", "en;q=0.5, zh;q=0.9": "zh",
		"fr, en;q=0.4": "en", "EN-us": "en", "zh-TW": "zh", "en;q=0": "zh", "en;q=x": "zh", strings.Repeat("a,", 100_000) + "en": "zh",
	} {
		if got := p.languageFor(header).tag; got != want {
			t.Errorf("%.40q: %s, want %s", header, got, want)
		}
	}
}

func TestTexts(t *testing.T) {
	p := newTestPages(t)
	zh, en := p.languages[0].texts, p.languages[1].texts
	for key, text := range zh {
		if strings.Count(en[key], "%s") != strings.Count(text, "%s") {
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
	used := regexp.MustCompile(`\.T "([^"]+)"`)
	for _, page := range []string{"layout", "login", "phone", "finish", "profile", "confirm", "done", "message"} {
		text, err := pageFiles.ReadFile("pages/" + page + ".html")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range used.FindAllStringSubmatch(string(text), -1) {
			if _, ok := zh[m[1]]; !ok {
				t.Errorf("%s.html: no text %s", page, m[1])
			}
		}
	}
}

func TestAssets(t *testing.T) {
	p := newTestPages(t)
	total := 0
	for name, a := range p.assets {
		total += len(a.body)
		if !regexp.MustCompile(`^(style|script)-[0-9a-f]{12}\.(css|js)$`).MatchString(name) || a.contentType == "" {
			t.Errorf("%s, %q", name, a.contentType)
		}
	}
	if total > 20<<10 {
		t.Errorf("the assets have %d bytes", total)
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
