package scangate

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/pages"
)

// account describes the account to a script of the initiator, after the approval. It has
// the facts that finish.html shows.
type account struct {
	Nickname   string `json:"nickname"`
	AvatarURL  string `json:"avatar_url"`  // at one of WeChat's hosts
	PhoneTail  string `json:"phone_tail"`  // the last digits
	NewAccount bool   `json:"new_account"` // made in this login
	AutoFinish bool   `json:"auto_finish"` // the browser's last user
	TargetName string `json:"target_name,omitempty"`
}

// serveAccount returns the account of an approved login to a script of the initiator.
// Before the approval it reveals nothing about the person.
func (g *Gate) serveAccount(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	if err := l.Ready(); err != nil {
		return err
	}
	p, err := g.accountPage(r, l)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, account{p.Nickname, p.AvatarURL, p.Phone, p.NewAccount, p.AutoFinish, p.TargetName})
	return nil
}

// serveTag serves the script of the element scangate-login. Its name stays, so browsers ask
// each time whether they have the newest one.
func (g *Gate) serveTag(w http.ResponseWriter, r *http.Request) error {
	a := g.respond.pages.Tag()
	serveRevalidated(w, r, a)
	return nil
}

// tagTexts has the texts of the element scangate-login.
type tagTexts struct {
	Lang    string            `json:"lang"`
	OnPhone bool              `json:"on_phone"` // the browser cannot scan its own screen
	Texts   map[string]string `json:"texts"`
}

// serveTagTexts returns the texts of the element scangate-login, in the language of the
// parameter lang or of the browser.
func (g *Gate) serveTagTexts(w http.ResponseWriter, r *http.Request) error {
	lang := g.respond.language(r)
	answer := tagTexts{lang.Attr(), isHandheld(r), lang.Texts("login.", "finish.", "fact.", "error.", "again", "offline", "nameless")}
	for key, text := range answer.Texts {
		answer.Texts[key] = strings.ReplaceAll(text, "{app}", g.config.AppName)
	}
	if g.config.MatchNumber { // see matchesNumber
		answer.Texts["login.number"] = answer.Texts["login.type"]
	}
	body, err := json.Marshal(answer)
	if err != nil { // impossible for strings
		return err
	}
	w.Header().Add("Vary", "Accept-Language, Cookie, User-Agent")
	serveRevalidated(w, r, pages.NewAsset(body, "application/json"))
	return nil
}

// serveRevalidated serves a file that browsers may keep, but must ask for each time. The
// answer is short if the file has not changed.
func serveRevalidated(w http.ResponseWriter, r *http.Request, a pages.Asset) {
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Type", a.ContentType)
	h.Set("ETag", `"`+a.Sum+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.Body))
}
