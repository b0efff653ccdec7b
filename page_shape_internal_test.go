package scangate

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate/internal/pages"
)

// hostileValues are values of a page that html/template has to change, or that look like a
// part of a page, besides some that it leaves as they are.
var hostileValues = append([]string{
	"", "plain", "/path", "/path?a=1&b=2", "/path?a=b+c", "/a%2Fb", "/a%", "/a%2", "/a%zz", "https://example.com/?a=1&b=%E6%9E%97#c", "http://example.com/(a)",
	"//evil.example", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,<script>", "weixin://", "mailto:a@b", "https:evil", "HTTPS://A/",
	"林小北", "é", "\xff\xfe", "a\xffb", "\x00", "a\tb\r\nc", "\x7f", "\u2028", "\ufeff", "\ufffd", "&amp;", "&#43;", "&", "+", "a&b+c", "`", "=", "\\", "{{.Token}}", "{phone}", "{app}", "%!s(MISSING)",
	"</p>", "<!--", "-->", "'", `"`, "\U000e0041", "1234567890123456789", strings.Repeat("ab&", 200),
}, hostileTexts...)

// traitValues are the values that decide about parts of a page.
var traitValues = map[string][]string{
	"Name":    {"", "done.approved", "done.denied", "profile.known", "profile.needed", "chat.echo", "error.denied", "error.snapshot", "error.expired", "no.such"},
	"Purpose": {"", "link", "phone"},
	"State":   {"waiting", "scanned", "", "approved"},
	"Way":     {"", "mini", "follow", "message"},
	"Wrong":   {"", "error.code_wrong", "error.terms_required", "error.phone_invalid"},
}

// pageFrom returns the data of a page. Each field takes the next part of seed: whether it is
// set, and which of the values it has.
func pageFrom(seed []byte, values ...string) PageData {
	next := func() int {
		if len(seed) == 0 {
			return 0
		}
		n := int(seed[0])
		seed = seed[1:]
		return n
	}
	var p PageData
	for v, i := reflect.ValueOf(&p).Elem(), 0; i < v.NumField(); i++ {
		name, n := v.Type().Field(i).Name, next()
		switch field := v.Field(i); {
		case traitValues[name] != nil:
			field.SetString(traitValues[name][n%len(traitValues[name])])
		case !v.Type().Field(i).IsExported() || n%4 == 0:
		case field.Kind() == reflect.String:
			field.SetString(values[n%len(values)])
		case field.Kind() == reflect.Bool:
			field.SetBool(n%2 == 0)
		case field.Kind() == reflect.Int:
			field.SetInt(int64(n) - 100)
		}
	}
	for range next() % 3 {
		p.ways = append(p.ways, wayURL{[]Way{WayWebsite, WayFollow, WayMini}[next()%3], values[next()%len(values)]})
	}
	return p
}

// checkPage compares the page with the one that html/template makes: when its shape is not
// known yet, and when it may be known.
func checkPage(t *testing.T, set *pages.Set, lang pages.Language, name string, data PageData) {
	t.Helper()
	want, wantErr := set.ExecuteBuiltin(name, data.forTemplate(set, lang, name))
	for _, try := range []string{"first", "second"} {
		got, err := data.execute(set, lang, name)
		if (err != nil) != (wantErr != nil) || !bytes.Equal(got, want) {
			t.Fatalf("%s.html, %s time, with %+v:\ngot  %s, error %v\nwant %s, error %v", name, try, data, got, err, want, wantErr)
		}
	}
}

// TestPagesOfKnownShapesAreAsExecuted puts each hostile value into each field of each sample.
func TestPagesOfKnownShapesAreAsExecuted(t *testing.T) {
	t.Parallel()
	set, own := newTestPages(t, func(*Config) {}), newTestPages(t, hostileConfig(t, "a&<b>+"+`"`))
	for _, samples := range []map[string]PageData{fullSamples, accountSamples, digitsSamples} {
		for name, sample := range samples {
			checkPage(t, own, own.LanguageFor("zh"), name, sample)
			checkPage(t, own, own.LanguageFor("en"), name, sample)
			for _, field := range reflect.VisibleFields(reflect.TypeFor[PageData]()) {
				if traitValues[field.Name] != nil || field.Type.Kind() != reflect.String || reflect.ValueOf(sample).FieldByIndex(field.Index).IsZero() {
					continue
				}
				for _, value := range hostileValues {
					data := sample
					fill(&data, field, value, 0)
					checkPage(t, set, set.LanguageFor("en"), name, data)
				}
			}
		}
	}
}

// TestPagesAreShaped demands a shape for each sample. Otherwise the test above would compare
// html/template with itself.
func TestPagesAreShaped(t *testing.T) {
	set := newTestPages(t, func(*Config) {})
	lang := set.LanguageFor("zh")
	for _, samples := range []map[string]PageData{fullSamples, accountSamples, digitsSamples, bareSamples} {
		for name, sample := range samples {
			checkPage(t, set, lang, name, sample)
			data := sample.forTemplate(set, lang, name)
			f := pages.NewFields(name, lang)
			data.fields(&f)
			if _, ok := set.Fill(&f); !ok {
				t.Errorf("%s.html with %+v: it has no shape after it was executed, want one", name, sample)
			}
		}
	}
}

// fill sets a field of a page's data, unless it is none that a template sees.
func fill(data *PageData, field reflect.StructField, text string, number int64) {
	v := reflect.ValueOf(data).Elem().FieldByIndex(field.Index)
	switch {
	case field.Name == "initial":
		data.initial = text
	case field.Name == "ways":
		data.ways = []wayURL{{WayMini, text}}
	case !field.IsExported():
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Int:
		v.SetInt(number)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	}
}

// TestAllFieldsDecideAboutTheShape demands that each field of PageData is a trait or a value.
func TestAllFieldsDecideAboutTheShape(t *testing.T) {
	listed := func(p PageData) pages.Fields {
		f := pages.NewFields("login", pages.Language{})
		p.fields(&f)
		return f
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[PageData]()) {
		if slices.Contains([]string{"formTarget", "pages", "lang", "unknown"}, field.Name) {
			continue // no template sees the first, and the others are the same for all pages
		}
		data := PageData{}
		fill(&data, field, "text", 1)
		if reflect.DeepEqual(listed(data), listed(PageData{})) {
			t.Errorf("the field %s changes nothing in the list of fields, want it in PageData.fields", field.Name)
		}
	}
}

// TestShapesAreLearnedWithoutValues demands that no value of a request is in the page from
// which a shape is learned, so that no value can look like the mark of another one.
func TestShapesAreLearnedWithoutValues(t *testing.T) {
	set := newTestPages(t, func(*Config) {})
	data := PageData{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[PageData]()) {
		if traitValues[field.Name] == nil {
			fill(&data, field, "/secret", 424242)
		}
	}
	f, learned := pages.NewFields("login", set.LanguageFor("en")), 0
	data.fields(&f)
	set.Learn(&f, func(f *pages.Fields) any {
		learned++
		marked := data.marked(f)
		if shown := fmt.Sprintf("%+v", marked); strings.Contains(shown, "secret") || strings.Contains(shown, "424242") {
			t.Errorf("the page from which a shape is learned has values of the request: %s", shown)
		}
		return marked.forTemplate(set, set.LanguageFor("en"), "login")
	})
	if learned == 0 {
		t.Error("Learn did not ask for a page with marks, want it to")
	}
}

// FuzzPages compares pages with those that html/template makes.
func FuzzPages(f *testing.F) {
	set := newTestPages(f, func(*Config) {})
	names := slices.Sorted(maps.Keys(bareSamples))
	all := bytes.Repeat([]byte{1, 2, 3, 5}, 20)
	for i := range names {
		f.Add(uint8(i), all, "plain", "/path?a=1&b=2")
		f.Add(uint8(i), all[i:], "林&+", "https://example.com/a%2Fb")
	}
	for i, value := range hostileValues {
		f.Add(uint8(i), all[i%4:], value, "/path")
		f.Add(uint8(i), []byte(nil), "x", value)
	}
	f.Fuzz(func(t *testing.T, page uint8, seed []byte, a, b string) {
		lang := set.LanguageFor([]string{"zh", "en"}[page%2])
		checkPage(t, set, lang, names[int(page)%len(names)], pageFrom(seed, a, b, "plain", "/plain?a=1&b=2", "https://example.com/"))
	})
}
