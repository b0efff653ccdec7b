package pages

import (
	"bytes"
	"html/template"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// testData is the data of the page in newShapedSet.
type testData struct {
	Kind string
	Flag bool
	Name string
	Link string
	Size int
}

// fields passes each field to f.
func (d *testData) fields(f *Fields) {
	f.Trait(d.Kind)
	f.Flag(d.Flag)
	f.Text(&d.Name)
	f.URL(&d.Link)
	f.Number(&d.Size)
}

// newShapedSet returns a set whose only page is text.
func newShapedSet(t *testing.T, text string) *Set {
	t.Helper()
	set := newTestSet(t)
	set.builtin = template.Must(template.New("page.html").Parse(text))
	set.templates = set.builtin
	return set
}

// fill returns the page with the data, and reports whether its shape was known.
func (s *Set) fill(d testData) ([]byte, bool) {
	f := NewFields("page", s.languages[0])
	d.fields(&f)
	return s.Fill(&f)
}

// learn makes a shape of the page with the data.
func (d testData) learn(s *Set) {
	f := NewFields("page", s.languages[0])
	d.fields(&f)
	s.Learn(&f, func(f *Fields) any {
		marked := d
		marked.fields(f)
		return marked
	})
}

const allValues = `{{.Kind}}{{if .Flag}}<b>{{end}}<a href="{{.Link}}">{{.Name}}</a><p class="{{.Name}}">{{.Size}}{{.Name}}`

func TestFill(t *testing.T) {
	set := newShapedSet(t, allValues)
	testData{"k", true, "x", "/", 1}.learn(set)
	for _, c := range []struct {
		data testData
		want string // empty if no shape has such values
	}{
		{testData{"k", true, "a&b+林", "/p?a=1&b=%2F", -7}, `k<b><a href="/p?a=1&amp;b=%2F">a&amp;b&#43;林</a><p class="a&amp;b&#43;林">-7a&amp;b&#43;林`},
		{testData{"k", true, "a", "https://a/", 1 << 62}, `k<b><a href="https://a/">a</a><p class="a">4611686018427387904a`},
		{testData{"other", true, "a", "/", 1}, ""},
		{testData{"k", false, "a", "/", 1}, ""},
		{testData{"k", true, "", "/", 1}, ""},
		{testData{"k", true, "a", "", 1}, ""},
		{testData{"k", true, "a", "/", 0}, ""},
		{testData{"k", true, "<", "/", 1}, ""},
		{testData{"k", true, "a\x00", "/", 1}, ""},
		{testData{"k", true, "a", "javascript:x", 1}, ""},
		{testData{"k", true, "a", "/林", 1}, ""},
		{testData{"k", true, "a", "/%2", 1}, ""},
	} {
		got, ok := set.fill(c.data)
		if ok != (c.want != "") || string(got) != c.want {
			t.Errorf("Fill with %+v = %q, %t, want %q", c.data, got, ok, c.want)
		}
		if ok {
			if executed, err := set.Execute("page", c.data); err != nil || !bytes.Equal(executed, got) {
				t.Errorf("Execute with %+v = %q, %v, want %q as from Fill", c.data, executed, err, got)
			}
		}
	}
}

// A page that shows more of a value than the value cannot be filled in.
func TestFillLeavesOutPagesThatDependOnValues(t *testing.T) {
	for _, text := range []string{
		`{{printf "%.1s" .Name}}`,
		`{{len .Name}}`,
		`{{if eq .Name "x"}}x{{end}}`,
		`{{if gt .Size 100}}x{{end}}`,
		`{{index .Name 0}}`,
		`<a href="/{{.Name}}">`,
		`<p title={{.Name}}>`,
		`<script>let name = {{.Name}}</script>`,
		`<script>let size = {{.Size}}</script>`,
		`<style>p { width: {{.Size}}px; color: {{.Name}} }</style>`,
		`<p onclick="f({{.Name}})">`,
	} {
		set, data := newShapedSet(t, text), testData{Kind: "k", Name: "x", Size: 1}
		data.learn(set)
		data.Name = "another"
		got, ok := set.fill(data)
		want, err := set.Execute("page", data)
		if ok && (err != nil || !bytes.Equal(got, want)) {
			t.Errorf("Fill of %s = %q, want %q as from Execute, or no shape", text, got, want)
		}
	}
}

func TestLearnKeepsTextsWithDigits(t *testing.T) {
	long := strings.Repeat("1234567890", 100) + strings.Repeat("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 100)
	set := newShapedSet(t, long+"{{.Name}}"+long+"{{.Size}}"+long)
	testData{Name: "x", Size: 1}.learn(set)
	got, ok := set.fill(testData{Name: "name", Size: 5})
	if want := long + "name" + long + "5" + long; !ok || string(got) != want {
		t.Errorf("Fill = %.100q, %t, want the page with both values", got, ok)
	}
}

func TestShapesAreBounded(t *testing.T) {
	set := newShapedSet(t, allValues)
	for i := range maxShapes + 100 {
		testData{Kind: "k" + strconv.Itoa(i), Name: "x"}.learn(set)
	}
	if got := len(set.shapes.known); got != maxShapes {
		t.Errorf("shapes after %d pages of different traits = %d, want %d", maxShapes+100, got, maxShapes)
	}
	if _, ok := set.fill(testData{Kind: "k0", Name: "x"}); !ok {
		t.Error("the first shape is gone, want it to stay")
	}
}

func TestFieldsBeyondTheBoundsHaveNoShape(t *testing.T) {
	text, url, number := "x", "/", 1
	for name, add := range map[string]func(*Fields){
		"traits": func(f *Fields) { f.Trait("x") },
		"flags":  func(f *Fields) { f.Flag(true) },
		"texts":  func(f *Fields) { f.Text(&text) },
		"URLs":   func(f *Fields) { f.URL(&url) },
		"sizes":  func(f *Fields) { f.Number(&number) },
	} {
		f := NewFields("page", Language{})
		for range maxBits + 1 {
			add(&f)
		}
		if !f.unfit {
			t.Errorf("%d %s: the list is fit for a shape, want it unfit", maxBits+1, name)
		}
	}
}

func TestReplacedPagesAreNotShaped(t *testing.T) {
	set := newShapedSet(t, allValues)
	data := testData{Kind: "k", Name: "x", Link: "/", Size: 1}
	data.learn(set)
	if err := set.Replace(template.Must(template.New("").Parse(`{{define "page.html"}}mine{{end}}`))); err != nil {
		t.Fatalf("Replace: %v", err)
	}
	if got, ok := set.fill(data); ok {
		t.Errorf("Fill of a replaced page = %q, want no shape", got)
	}
}

func TestShapesAreSafeForConcurrentUse(t *testing.T) {
	set := newShapedSet(t, allValues)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 50 {
				data := testData{Kind: strconv.Itoa(i % 10), Name: "x" + strconv.Itoa(i), Link: "/", Size: i}
				data.learn(set)
				got, ok := set.fill(data)
				if want, err := set.Execute("page", data); ok && (err != nil || !bytes.Equal(got, want)) {
					t.Errorf("Fill with %+v = %q, want %q", data, got, want)
				}
			}
		})
	}
	all.Wait()
}
