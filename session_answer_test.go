package scangate_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// cachings maps values of Cache-Control that a handler sets to the values in an answer
// that sets the session's cookie.
var cachings = []struct{ handler, saved string }{
	{"public", "private"},
	{"public, max-age=60", "private, max-age=60"},
	{"Public,Max-Age=60,S-MaxAge=600", "private, Max-Age=60"},
	{"max-age=60", "private, max-age=60"},
	{"s-maxage=60, must-revalidate", "private, must-revalidate"},
	{`public, no-cache="Set-Cookie, X-Public"`, `private, no-cache="Set-Cookie, X-Public"`},
	{`private="Set-Cookie", max-age=60`, "private, max-age=60"}, // shared caches may store the rest
	{"private, max-age=60", "private, max-age=60"},
	{"no-cache", "private, no-cache"},
	{"no-store", "no-store"},
	{`public, no-cache="a", no-store`, `public, no-cache="a", no-store`},
	{"", "private"},
}

// answerOf returns what a logged-in browser gets from the handler behind the gate.
func answerOf(t *testing.T, w *world, browser *browser, handler http.HandlerFunc) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/own", nil)
	for _, c := range browser.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	got := httptest.NewRecorder()
	w.gate.RequireWeChat(handler).ServeHTTP(got, r)
	return got.Result()
}

func TestCaseB06AnswerWithASessionIsPrivate(t *testing.T) {
	m, _ := plainSessions()
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	phone := w.phone("lin")
	phone.open("/account")
	for _, c := range cachings {
		for saving, save := range map[string]func(r *http.Request){
			"changes":  func(r *http.Request) { m.Put(r.Context(), "draft", "tea") },
			"destroys": func(r *http.Request) { _ = m.Destroy(r.Context()) },
			"leaves":   func(*http.Request) {},
		} {
			if saving == "destroys" {
				phone.post("/wechat/logout", nil)
				phone.open("/account")
			}
			resp := answerOf(t, w, phone, func(rw http.ResponseWriter, r *http.Request) {
				save(r)
				rw.Header().Set("Cache-Control", c.handler)
				rw.Header().Set("CDN-Cache-Control", "max-age=600")
				rw.Header().Set("Surrogate-Control", "max-age=600")
				_, _ = io.WriteString(rw, written)
			})
			want, targeted := c.saved, ""
			if saving == "leaves" {
				want, targeted = c.handler, "max-age=600"
			}
			if got := strings.Join(resp.Header.Values("Cache-Control"), "; "); got != want {
				t.Errorf("handler sets %q and %s the session: Cache-Control = %q, want %q", c.handler, saving, got, want)
			}
			if cdn, surrogate := resp.Header.Get("CDN-Cache-Control"), resp.Header.Get("Surrogate-Control"); cdn != targeted || surrogate != targeted {
				t.Errorf("handler %s the session: headers for CDNs = %q and %q, want %q", saving, cdn, surrogate, targeted)
			}
			if saving == "destroys" {
				phone.open("/account")
			}
		}
	}
}

// A handler behind the application's own LoadAndSave keeps the directive of scs.
func TestCaseB06LoadAndSaveKeepsItsDirective(t *testing.T) {
	m, _ := plainSessions()
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	phone := w.phone("lin")
	phone.open("/account")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/own", nil)
	for _, c := range phone.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	got := httptest.NewRecorder()
	m.LoadAndSave(w.gate.RequireWeChat(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		m.Put(r.Context(), "draft", "tea")
		rw.Header().Set("Cache-Control", "public")
		_, _ = io.WriteString(rw, written)
	}))).ServeHTTP(got, r)
	if values := strings.Join(got.Result().Header.Values("Cache-Control"), ", "); !strings.Contains(values, `no-cache="Set-Cookie"`) {
		t.Errorf("Cache-Control = %q, want no-cache=\"Set-Cookie\" in it", values)
	}
}

// TestCaseB13HandlersHeadersDoNotCutThePage checks every header by itself, over a
// connection: net/http itself cuts an answer that is longer than its Content-Length.
func TestCaseB13HandlersHeadersDoNotCutThePage(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"Content-Length": fmt.Sprint(len(written)), "Content-Encoding": "gzip", "Content-Disposition": "attachment", "Content-Range": "bytes 0-1/2",
		"Content-Location": "/other", "Content-Digest": "sha-256=:AA==:", "Content-Language": "fr", "Content-Type": "image/png", "Repr-Digest": "sha-256=:AA==:",
		"Digest": "md5=AA==", "Etag": `"1"`, "Last-Modified": "Mon, 02 Jan 2006 15:04:05 GMT", "Accept-Ranges": "bytes", "Expires": "Fri, 01 Jan 2100 00:00:00 GMT",
		"Trailer": "X-Sum", "Transfer-Encoding": "identity", "Location": "/saved", "Refresh": "0; url=/saved", "X-Accel-Redirect": "/file", "X-Accel-Expires": "60",
		"X-Sendfile": "/file", "Cdn-Cache-Control": "max-age=60", "Surrogate-Control": "max-age=60",
	} {
		t.Run(name, func(t *testing.T) {
			g := newGated(t, scs.GobCodec{}, func(m *scs.SessionManager) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					m.Put(r.Context(), "draft", "tea")
					w.Header().Set(name, value)
					_, _ = io.WriteString(w, written)
				}
			})
			g.store.failWith(errors.New("connection refused"))
			a := g.desktop.get("/own")
			if got := a.Header.Get(name); got == value {
				t.Errorf("%s = %q, want another value or none", name, got)
			}
			if got := a.TransferEncoding; len(got) > 1 || len(got) == 1 && got[0] != "chunked" {
				t.Errorf("Transfer-Encoding = %q, want chunked or none", got)
			}
			checkUnsaved(t, g, a)
		})
	}
}

// TestCaseB16LogoutRemovesTheCookieOfADamagedSession checks that logging out works with a
// session that cannot be decoded, alone and beside other cookies of its name.
func TestCaseB16LogoutRemovesTheCookieOfADamagedSession(t *testing.T) {
	t.Parallel()
	for _, everywhere := range []bool{false, true} {
		for _, other := range []string{"", "__Host-session=x", "__Host-session=x; __Host-session=y"} {
			forEachCodec(t, func(t *testing.T, w *damagedWorld) {
				toss := &tosser{first: other}
				w.phone.client.Transport = toss.around(w.phone.client.Transport)
				if got := w.phone.user(); got != "" {
					t.Errorf("with a damaged session: user %q, want none", got)
				}
				a := w.phone.post("/wechat/logout", url.Values{"everywhere": {fmt.Sprint(everywhere)}})
				if a.StatusCode != http.StatusSeeOther || a.location() != "/" {
					t.Errorf("logout: %d to %q, want %d to /", a.StatusCode, a.location(), http.StatusSeeOther)
				}
				if c := sessionCookie(a); c == nil || c.MaxAge >= 0 || c.Value != "" {
					t.Errorf("logout: session cookie %v, want it removed", c)
				}
				if got := len(w.store.m); got != 0 {
					t.Errorf("logout: %d sessions are stored, want none", got)
				}
			})
		}
	}
}

// A damaged session beside the live one, which another login has begun, hides nothing.
func TestCaseB16DamagedSessionBesideALiveOne(t *testing.T) {
	for _, first := range []bool{true, false} {
		m, store := plainSessions()
		w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
		if err := store.Commit("damaged", []byte("\x00\x02"), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		toss := &tosser{}
		toss.toss("session=damaged", first)
		w.hosts = toss.around(w.hosts)
		phone := w.phone("lin")
		if phone.open("/account"); phone.user() == "" {
			t.Errorf("damaged session first, %t: no user after the login, want one", first)
		}
		phone.post("/wechat/logout", nil)
		if got := phone.user(); got != "" {
			t.Errorf("damaged session first, %t: user %q after the logout, want none", first, got)
		}
	}
}
