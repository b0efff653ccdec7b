package compat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// npmClients are the clients in npm/clients, each with one account.
var npmClients = []struct {
	name, file string
	app        wechattest.App
	// persons log in.
	persons []string
	// steps are the steps that only some clients have.
	steps []string
}{
	{"wechat-oauth, official account", "wechat-oauth", official, everyone, []string{"check", "refresh"}},
	{"wechat-oauth, website", "wechat-oauth", website, everyone, []string{"check", "refresh"}},
	{"passport-wechat, official account", "passport-wechat", official, everyone, nil},
	{"passport-wechat, website", "passport-wechat", website, everyone, nil},
	// Auth.js gives a person without a unionid a random ID, which is another one with each login.
	{"Auth.js, website", "auth-js", website, []string{"lin", "yueyue"}, nil},
	{"better-auth, website", "better-auth", website, everyone, []string{"refresh"}},
	{"Logto, website", "logto-web", website, everyone, nil},
	{"Logto, native", "logto-native", official, everyone, nil},
}

// everyone is an ordinary person, one with emoji in the name, and one without a unionid.
var everyone = []string{"lin", "yueyue", "chen"}

// npmResult is the result of a step: the user, or the error.
type npmResult struct {
	Step, Error string
	// ID is the user's ID at the client.
	OpenID, UnionID, ID, Nickname, Picture string
}

// TestNpmClientsLogIn runs the clients in Node. Three persons log in. Then the clients get
// codes that cannot be exchanged, a refusal, and an error of WeChat's.
func TestNpmClientsLogIn(t *testing.T) {
	dir := npmDir(t)
	for _, c := range npmClients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each client has a process and a simulator of its own
			server := wechattest.NewStrict(t, official, website).ServeTLS(t)
			var got []string
			for _, result := range runClient(t, dir, c.file, c.app, c.persons, server) {
				got = append(got, result.Step)
				checkStep(t, server, c.app, result)
			}
			var want []string
			for _, person := range c.persons {
				for _, step := range slices.Concat([]string{"link", "login"}, c.steps, []string{"used code"}) {
					want = append(want, step+" "+person)
				}
			}
			want = append(want, "unknown code", "refusal", "busy")
			if !slices.Equal(got, want) {
				t.Errorf("steps = %q, want %q", got, want)
			}
			// A refusal has no code to exchange. All other steps get their error from WeChat.
			if calls, want := server.Calls(wechattest.OpExchange), 2*len(c.persons)+2; calls != want {
				t.Errorf("exchanges = %d, want %d", calls, want)
			}
		})
	}
}

// TestAuthJSLinkOfAnOfficialAccount notes a difference: Auth.js sends the parameters in another
// order than WeChat documents for official accounts, without the fragment and with a state of
// more than 128 characters. The simulator's authorization page refuses such links.
func TestAuthJSLinkOfAnOfficialAccount(t *testing.T) {
	server := wechattest.New(nil, official).ServeTLS(t) // a strict one would fail the test
	results := runClient(t, npmDir(t), "auth-js", official, []string{"lin"}, server)
	if len(results) == 0 || !strings.Contains(results[0].Error, "not as documented") {
		t.Errorf("results = %+v, want a link that is not as documented", results)
	}
}

// checkStep checks the result of one step.
func checkStep(t *testing.T, server *wechattest.TLSServer, app wechattest.App, got npmResult) {
	t.Helper()
	kind, personID, _ := strings.Cut(got.Step, " ") // "login lin", or the name of an error
	if slices.Contains([]string{"used", "unknown", "refusal", "busy"}, kind) {
		if got.Error == "" {
			t.Errorf("%s: no error, want one", got.Step)
		}
		return
	}
	if got.Error != "" {
		t.Errorf("%s: error = %q, want none", got.Step, got.Error)
		return
	}
	if kind == "login" {
		checkUser(t, server, app, personID, got)
	}
}

// checkUser checks the user of a login.
func checkUser(t *testing.T, server *wechattest.TLSServer, app wechattest.App, personID string, got npmResult) {
	t.Helper()
	person := wechattest.People()[slices.IndexFunc(wechattest.People(), func(p wechattest.Person) bool { return p.ID == personID })]
	openID, unionID := server.OpenID(personID, app.AppID), server.UnionID(personID)
	id := unionID
	if id == "" {
		id = openID
	}
	if got.OpenID == "" && got.ID == "" {
		t.Errorf("%s: neither an openid nor an ID, want one", got.Step)
	}
	for name, c := range map[string]struct{ got, want string }{
		"openid": {got.OpenID, openID}, "unionid": {got.UnionID, unionID}, "ID": {got.ID, id},
	} {
		// Not every client has each of them.
		if c.got != "" && c.got != c.want {
			t.Errorf("%s: %s = %q, want %q", got.Step, name, c.got, c.want)
		}
	}
	if got.Nickname != person.Nickname || got.Picture != person.HeadImgURL {
		t.Errorf("%s: nickname = %q, picture = %q, want %q and %q", got.Step, got.Nickname, got.Picture, person.Nickname, person.HeadImgURL)
	}
}

// npmDir returns a directory with the clients and their packages. It skips the test if there
// are none, unless SCANGATE_REQUIRE names npm-clients.
func npmDir(t *testing.T) string {
	t.Helper()
	packages := os.Getenv("SCANGATE_NPM_CLIENTS")
	_, err := exec.LookPath("node")
	if packages == "" || err != nil {
		reason := "SCANGATE_NPM_CLIENTS does not name a folder with node_modules, or there is no node"
		if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "npm-clients") {
			t.Fatal("SCANGATE_REQUIRE names npm-clients, but " + reason)
		}
		t.Skip(reason)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("npm")); err != nil {
		t.Fatal(err)
	}
	// Node looks for packages in the folders above a module.
	if err := os.Symlink(filepath.Join(packages, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// runClient runs a client and returns the results of its steps.
func runClient(t *testing.T, dir, file string, app wechattest.App, persons []string, server *wechattest.TLSServer) []npmResult {
	t.Helper()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, server.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]any{"appid": app.AppID, "secret": app.Secret, "website": app.Website})
	if err != nil {
		t.Fatal(err)
	}
	control := httptest.NewServer(controlOf(server))
	defer control.Close()
	cmd := exec.CommandContext(t.Context(), "node", "--require", "./hosts.cjs", "run.mjs", "./clients/"+file+".mjs", string(account), strings.Join(persons, ","))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+authority, "WECHAT_ADDR="+server.Addr,
		"WECHAT_HOSTS="+strings.Join(server.Hosts, ","), "CONTROL_URL="+control.URL)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("node: %v\n%s", err, stderr.Bytes())
	}
	var results []npmResult
	for line := range strings.Lines(string(out)) {
		var result npmResult
		if err := json.Unmarshal([]byte(line), &result); err != nil {
			t.Errorf("node printed %q, want JSON", line)
			continue
		}
		results = append(results, result)
	}
	return results
}

// controlOf lets a client's process control the simulator.
func controlOf(server *wechattest.TLSServer) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, callback string, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		_, _ = fmt.Fprint(w, callback)
	}
	mux.HandleFunc("GET /approve", func(w http.ResponseWriter, r *http.Request) {
		callback, err := server.Approve(r.FormValue("link"), r.FormValue("person"))
		answer(w, callback, err)
	})
	mux.HandleFunc("GET /refuse", func(w http.ResponseWriter, r *http.Request) {
		callback, err := server.Refuse(r.FormValue("link"))
		answer(w, callback, err)
	})
	mux.HandleFunc("GET /expire", func(_ http.ResponseWriter, r *http.Request) { server.Expire(r.FormValue("person")) })
	mux.HandleFunc("GET /busy", func(http.ResponseWriter, *http.Request) {
		server.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: -1})
	})
	return mux
}
