package main

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

//go:embed try
var tryFiles embed.FS

// tryWays are the ways in that /try shows, in the order of its menu.
var tryWays = []string{"web", "follow", "message", "mini", "website"}

// tryPolicy is the policy of the pages below /try. WeChat's own QR page is shown in a frame,
// so the simulator's address is added to it.
const tryPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'self'; frame-src 'self' "

// try serves /try, where a desktop and a phone stand side by side. The desktop is a page with
// the gate's element scangate-login. The phone is a browser that runs in this program, and
// whose pages are shown in a frame. There is a gate for each way in.
type try struct {
	o      options
	sim    *wechattest.WeChat
	routes *http.ServeMux
	pages  *template.Template
	bases  map[string]string // the base paths of the gates, by way
	mini   wechat.Account
	gates  map[string]*scangate.Gate // by way
	phones tryPhones
}

// newTry returns the handler of /try. The simulator must have the accounts of tryApps.
func newTry(ctx context.Context, o options, sim *wechattest.WeChat) (*try, error) {
	t := &try{o: o, sim: sim, routes: http.NewServeMux(), pages: parsePages(), bases: make(map[string]string), gates: make(map[string]*scangate.Gate)}
	for _, way := range tryWays {
		gate, err := t.newGate(ctx, way)
		if err != nil {
			t.close()
			return nil, err
		}
		t.gates[way] = gate
		t.routes.Handle(t.bases[way]+"/", gate)
	}
	t.routes.Handle("GET /try", http.RedirectHandler("/try/web", http.StatusSeeOther))
	t.routes.HandleFunc("GET /try/{way}", t.page)
	t.routes.HandleFunc("GET /try/done/website", t.done)
	t.routes.Handle("GET /try/static/", http.StripPrefix("/try/static/", http.FileServerFS(mustSub(tryFiles, "try"))))
	t.phoneRoutes()
	return t, nil
}

// tryApps are the accounts of the gates of /try. Each way has an account of its own, because
// an account pushes its messages to one gate.
func tryApps() map[string]wechattest.App {
	account := func(n int) wechat.Account {
		return wechat.Account{AppID: fmt.Sprintf("wx%016d", n), Secret: simulatedSecret}
	}
	return map[string]wechattest.App{
		"web":     {Account: account(11), Name: "Example"},
		"website": {Account: account(12), Name: "Example", Website: true},
		"follow":  {Account: account(13), Name: "Example"},
		"message": {Account: account(14), Name: "Example"},
		"mini":    {Account: account(15), Name: "Example", MiniProgram: true},
	}
}

// newGate returns the gate of a way.
func (t *try) newGate(ctx context.Context, way string) (*scangate.Gate, error) {
	apps, base, users := tryApps(), "/try/gate/"+way, scangate.NewMemoryStore()
	t.bases[way] = base
	config := scangate.Config{
		PublicURL:    t.o.publicURL,
		BasePath:     base,
		AppName:      "Example",
		WeChat:       scangate.WeChat{Endpoint: t.o.endpoint},
		Registration: scangate.Registration{FetchProfile: true},
		Users:        users,
		OnEvent:      logEvent,
		ClientIP:     t.o.clientIP(),
		InsecureHTTP: t.o.insecureHTTP,
	}
	// A cookie of its own, so that a login here is none at another gate.
	config.Session.Manager = scs.New()
	config.Session.Manager.Cookie.Name = "try-" + way
	account := apps[way].Account
	switch way {
	case "web":
		config.OfficialAccount = account
	case "website":
		config.Website = account
	case "mini":
		config.MiniProgram, config.Scan = account, scangate.ScanMiniProgram
		t.mini = account
	default:
		config.OfficialAccount, config.Scan = account, scangate.ScanMode(way)
		config.Push = pushTo(t.sim, account, t.o.publicURL+base+"/push")
	}
	known := scangate.Identity{AppID: account.AppID, OpenID: t.sim.OpenID(knownPerson, account.AppID), UnionID: t.sim.UnionID(knownPerson)}
	if _, err := users.Register(ctx, scangate.NewUser{Identity: known, Nickname: "林小北"}); err != nil {
		return nil, err
	}
	return scangate.New(config)
}

// close releases the browsers that wait at the gates.
func (t *try) close() {
	for _, gate := range t.gates {
		_ = gate.Close() // never fails
	}
}

// ServeHTTP implements [http.Handler].
func (t *try) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.routes.ServeHTTP(w, r) }

// tryView is the data of the pages below /try.
type tryView struct {
	words
	Way     string
	Ways    []tryLink
	Base    string // the base path of the gate
	Steps   []string
	Persons []wechattest.Person
	Name    string // of the user who is logged in
}

// tryLink is a link to the page of another way.
type tryLink struct {
	Way, Text string
	Here      bool
}

// page serves the desktop and the phone of a way.
func (t *try) page(w http.ResponseWriter, r *http.Request) {
	way := r.PathValue("way")
	if !slices.Contains(tryWays, way) {
		http.NotFound(w, r)
		return
	}
	v := tryView{words: wordsFor(r), Way: way, Base: t.bases[way], Persons: wechattest.People()}
	for _, other := range tryWays {
		v.Ways = append(v.Ways, tryLink{other, v.T("way." + other), other == way})
	}
	for n := 1; v.Has(fmt.Sprintf("%s.%d", way, n)); n++ {
		v.Steps = append(v.Steps, v.T(fmt.Sprintf("%s.%d", way, n)))
	}
	for i, p := range v.Persons {
		v.Persons[i].Note = v.Note(p.Note)
	}
	t.render(w, r, "try", v)
}

// done serves the page to which a login by WeChat's own page returns, in the desktop's frame.
func (t *try) done(w http.ResponseWriter, r *http.Request) {
	v := tryView{words: wordsFor(r), Way: "website", Base: t.bases["website"]}
	user, err := t.gates["website"].Check(r)
	if err != nil {
		t.render(w, r, "try-again", v)
		return
	}
	v.Name = newView(user).Name
	t.render(w, r, "try-done", v)
}

// render sends a page.
func (t *try) render(w http.ResponseWriter, r *http.Request, name string, data any) {
	h := w.Header()
	h.Set("Content-Security-Policy", tryPolicy+t.o.endpoint.Open)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	render(w, r, t.pages, name, data)
}

// withTry adds /try to the application, and a home page that explains the simulation.
func withTry(app http.Handler, t *try) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", app)
	mux.Handle("/try", t)
	mux.Handle("/try/", t)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		render(w, r, t.pages, "home", homeView{wordsFor(r), true})
	})
	return mux
}
