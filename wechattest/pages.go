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

// pageFiles contains a template for each page. The style is part of the layout.
//
//go:embed pages/*.html
var pageFiles embed.FS

// parsePages parses the templates. It panics if one is invalid: the templates are
// part of the program, and every test parses them.
func parsePages() *template.Template {
	pages := template.New("pages").Funcs(pageFuncs())
	return template.Must(pages.ParseFS(pageFiles, "pages/*.html"))
}

// page holds the data of the simulator's pages. Each page uses a part of it.
type page struct {
	// App is the account that asks for consent.
	App App
	// Person is the phone's owner. Snapshot means that the account would get a
	// snapshot user.
	Person   Person
	Snapshot bool
	// Persons are the persons to choose from.
	Persons []Person
	// Chats are the official accounts, on the home page.
	Chats []App
	// Code is the text of the scanned code in the chat of a person who does not follow the
	// account. Follows, Chat and Words are the chat's state, its messages and its texts.
	Code    string
	Follows bool
	Chat    []ChatMessage
	Words   chatWords
	// LinkError is the error that the error page shows.
	LinkError *linkError
	// query is the application's own query, without the simulator's parameters.
	query string
}

// AppName returns the account's name, or a placeholder.
func (p page) AppName() string {
	if p.App.Name != "" {
		return p.App.Name
	}
	if p.App.Website {
		return "网站应用 " + p.App.AppID
	}
	return "公众号 " + p.App.AppID
}

// PersonURL returns the link that makes a person the phone's owner. For "" it
// returns the link that lists the persons.
func (p page) PersonURL(personID string) template.URL {
	// A relative reference of a query alone: the simulator can be mounted below
	// any path.
	return template.URL("?" + p.query + "&" + PersonParam + "=" + url.QueryEscape(personID)) //nolint:gosec // begins with "?", so it has no scheme such as javascript:
}

// AnswerURL returns the link that answers for the person shown.
func (p page) AnswerURL(answer Answer) template.URL {
	return p.PersonURL(p.Person.ID) + template.URL("&"+AnswerParam+"="+url.QueryEscape(string(answer))) //nolint:gosec // appended to a query, and escaped
}

// initial returns the first character of a nickname. The pages show it in place of
// the picture, which they would have to load from another host.
func initial(nickname string) string {
	for _, r := range nickname {
		return string(r)
	}
	return "?"
}

// QRPath returns an SVG path that resembles a QR code of 25 by 25 modules. It
// depends on the link but does not encode it.
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

// finder reports whether a module is fixed, because it is part of one of the three
// finder patterns or of the light border around them, and whether it is dark.
func finder(x, y, size int) (dark, fixed bool) {
	// A pattern and its border take 8 by 8 modules. The fourth corner has none.
	if x > 7 && x < size-8 || y > 7 && y < size-8 || x > 7 && y > 7 {
		return false, false
	}
	// Mirror the module to the first corner, and measure its distance to the
	// pattern's center.
	dx, dy := abs(min(x, size-1-x)-3), abs(min(y, size-1-y)-3)
	ring := max(dx, dy)
	// The pattern has a light ring at distance 2, the border is at distance 4.
	return ring != 2 && ring <= 3, true
}

// abs returns the absolute value of n.
func abs(n int) int { return max(n, -n) }

// show renders a page.
func (w *WeChat) show(rw http.ResponseWriter, name string, p page) {
	// Render into a buffer, so that an error does not leave half a page.
	var out strings.Builder
	if err := w.pages.ExecuteTemplate(&out, name, p); err != nil {
		http.Error(rw, "wechattest: rendering a page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	header := rw.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	// The pages have no scripts and load nothing.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'")
	// The page's URL contains the state.
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	// WeChat uses status 200 for error pages too.
	_, _ = rw.Write([]byte(out.String()))
}
