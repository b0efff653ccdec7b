package wechattest

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// pageFiles holds a template for each page, its style within.
//
//go:embed pages/*.html
var pageFiles embed.FS

// parsePages panics on a template that can't be parsed, which no build gets past
// its tests with.
func parsePages() *template.Template {
	pages := template.New("pages").Funcs(template.FuncMap{"initial": initial})
	return template.Must(pages.ParseFS(pageFiles, "pages/*.html"))
}

// page is what one of the simulator's pages shows. Each page uses a part of it.
type page struct {
	// App is who asks.
	App App
	// Person is who is asked. Snapshot says that they would be a snapshot user.
	Person   Person
	Snapshot bool
	// People are those to choose from.
	People []Person
	// Refused is what an error page is about.
	Refused *refusal
	// query is the application's own, to which the page's links add.
	query string
}

// AppName stands for an account's name, which the simulator doesn't know.
func (p page) AppName() string {
	if p.App.Website {
		return "网站应用 " + p.App.AppID
	}
	return "公众号 " + p.App.AppID
}

// As returns the link that makes the browser a person's phone, or, for "", the
// one that asks whose it is. Links hold a query alone, so that the simulator can
// be mounted below any path.
func (p page) As(personID string) template.URL {
	return template.URL("?" + p.query + "&" + PersonParam + "=" + url.QueryEscape(personID)) //nolint:gosec // a query alone, each part escaped or the visitor's own
}

// Say returns the link that answers for the person shown.
func (p page) Say(answer Answer) template.URL {
	return p.As(p.Person.ID) + template.URL("&"+AnswerParam+"="+url.QueryEscape(string(answer))) //nolint:gosec // as above
}

// initial stands in for a picture, which would come from outside.
func initial(nickname string) string {
	for _, r := range nickname {
		return string(r)
	}
	return "?"
}

// QRPath draws what looks like the link's QR code, as an SVG path over 25 by 25
// modules.
func (p page) QRPath() string {
	const size = 25
	var path strings.Builder
	for y := range size {
		row := sha256.Sum256(fmt.Append(nil, p.query, y))
		for x := range size {
			if dark, fixed := finder(x, y, size); dark || !fixed && row[x]&1 == 1 {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	return path.String()
}

// finder reports whether a module belongs to one of the three corner marks or to
// the free space around them, and whether it is dark there.
func finder(x, y, size int) (dark, fixed bool) {
	if x > 7 && x < size-8 || y > 7 && y < size-8 || x > 7 && y > 7 {
		return false, false
	}
	dx, dy := abs(min(x, size-1-x)-3), abs(min(y, size-1-y)-3)
	ring := max(dx, dy)
	return ring != 2 && ring <= 3, true
}

// abs returns n without its sign.
func abs(n int) int { return max(n, -n) }

// show renders a page: whole or not at all, without scripts or anything from
// elsewhere, and without passing its address, which holds the state, on as a
// Referer. WeChat shows its errors with status 200 as well.
func (w *WeChat) show(rw http.ResponseWriter, name string, p page) {
	var out strings.Builder
	if err := w.pages.ExecuteTemplate(&out, name, p); err != nil {
		http.Error(rw, "wechattest: "+err.Error(), http.StatusInternalServerError)
		return
	}
	header := rw.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	_, _ = rw.Write([]byte(out.String()))
}
