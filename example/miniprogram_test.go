package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// TestMiniProgramScans logs a desktop in, by each kind of code that the camera can scan.
func TestMiniProgramScans(t *testing.T) {
	s := newSite(t, withMiniProgram)
	phone := newMiniPhone(t, s, "lin")
	for scene, query := range map[int]func(*desktop) map[string]string{
		sceneScan:   func(d *desktop) map[string]string { return map[string]string{"q": url.QueryEscape(d.login.ScanURL)} },
		sceneWxCode: func(d *desktop) map[string]string { return map[string]string{"scene": d.id()} },
	} {
		t.Run(strconv.Itoa(scene), func(t *testing.T) {
			desktop := newDesktop(t, s)
			phone.open(scene, miniLogin, query(desktop))
			phone.want("Log in to Example?", "Device Chrome · Windows", "IP address 127.0.0.1", "Number on its screen "+strconv.Itoa(desktop.login.Number))
			phone.wantButtons("Refuse", "Log in")
			if !phone.screen.ShareHidden || phone.screen.Title != "Log in" {
				t.Errorf("the page's title is %q and its sharing is hidden: %v; want %q and true", phone.screen.Title, phone.screen.ShareHidden, "Log in")
			}
			desktop.wantState("scanned")
			phone.tap("Log in")
			phone.want("Done")
			phone.wantButtons()
			desktop.finish()
		})
	}
}

// TestMiniProgramDenies refuses a login.
func TestMiniProgramDenies(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	phone.scan(desktop.login.ScanURL)
	phone.tap("Refuse")
	phone.want("Refused", "No one was logged in.")
	desktop.wantState("denied")
	phone.scan(desktop.login.ScanURL)
	phone.want("Refused", "This login was refused.")
	phone.wantButtons("Scan the new code")
}

// TestMiniProgramMatchesNumber types the number that the other screen shows. A wrong one
// refuses the login.
func TestMiniProgramMatchesNumber(t *testing.T) {
	const field = "Type the two digits on the other screen"
	s := newSite(t, both(withMiniProgram, withNumber))
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	phone.scan(desktop.login.ScanURL)
	// The address on the screen contains two-digit numbers too.
	if text := strings.ReplaceAll(phone.screen.Text, "127.0.0.1", ""); strings.Contains(text, strconv.Itoa(desktop.login.Number)) {
		t.Errorf("the mini program shows the number:\n%s", phone.screen.Text)
	}
	phone.tap("Log in")
	phone.want("Type the two digits.")
	phone.wantRequests("without a number", 1)
	fullWidth := strings.NewReplacer("0", "０", "1", "１", "2", "２", "3", "３", "4", "４", "5", "５", "6", "６", "7", "７", "8", "８", "9", "９")
	phone.typeInto(field, fullWidth.Replace(strconv.Itoa(desktop.login.Number)))
	phone.tap("Log in")
	phone.want("Done")
	desktop.finish()

	desktop.start()
	phone.scan(desktop.login.ScanURL)
	phone.typeInto(field, strconv.Itoa(10+desktop.login.Number%90)) // another one
	phone.tap("Log in")
	phone.want("The number was different")
	desktop.wantState("denied")
}

// TestMiniProgramPhone shares the phone number by one tap. The gate makes a new user of the
// person without a text message.
func TestMiniProgramPhone(t *testing.T) {
	s := newSite(t, both(withMiniProgram, withPhone))
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "wang")
	phone.scan(desktop.login.ScanURL)
	phone.want("Your phone number")
	phone.do(command{"do": "number", "label": "Use my WeChat phone number", "error": map[string]any{"errMsg": "getPhoneNumber:fail user deny"}})
	phone.want("WeChat shared no number.")
	phone.do(command{"do": "number", "label": "Use my WeChat phone number", "error": map[string]any{"errMsg": "getPhoneNumber:fail", "errno": 1400001}})
	phone.want("Please type one.")
	phone.shareNumber("13580006666")
	phone.want("Log in to Example?", "Device Chrome · Windows")
	phone.tap("Log in")
	desktop.finish()
	if s.code.Load() != nil {
		t.Errorf("the gate sent the code %v, want none", s.code.Load())
	}
}

// TestMiniProgramTextMessage proves a number by a text message: WeChat's number of an
// existing user, and a typed one.
func TestMiniProgramTextMessage(t *testing.T) {
	s := newSite(t, both(withMiniProgram, withPhone, func(c *scangate.Config) {
		register(t, c, scangate.NewUser{Identity: scangate.Identity{AppID: "elsewhere", OpenID: "clerk"}, Phone: "+8613580006666"})
	}))
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "wang")
	phone.scan(desktop.login.ScanURL)
	phone.tap("Send the code")
	phone.want("Type the phone number.")
	phone.typeInto("Or type a phone number", "1358")
	phone.tap("Send the code")
	phone.want("Check the number")
	if got := phone.screen.Inputs[0].Value; got != "1358" {
		t.Errorf("after a failure the typed number is %q, want 1358", got)
	}
	phone.shareNumber("13580006666")
	phone.want("Enter the code", "*6666")
	if b := phone.button("Send again (60 s)"); !b.Disabled {
		t.Error("the text message can be sent again at once, want after a minute")
	}
	phone.tap("Continue")
	phone.want("Type the six digits.")
	phone.typeInto("6-digit code", "000000")
	phone.tap("Continue")
	phone.want("Wrong code")
	phone.typeInto("6-digit code", s.code.Load().(string))
	phone.tap("Continue")
	phone.tap("Log in")
	desktop.finish()
	// Another person types a number that no user has.
	desktop, phone = newDesktop(t, s), newMiniPhone(t, s, "chen")
	phone.scan(desktop.login.ScanURL)
	phone.typeInto("Or type a phone number", "13580007777")
	phone.tap("Send the code")
	phone.want("Enter the code", "*7777")
	phone.tap("Use another number")
	phone.want("Your phone number")
	phone.typeInto("Or type a phone number", "13580008888")
	phone.tap("Send the code")
	phone.want("Enter the code", "*8888")
	phone.typeInto("6-digit code", s.code.Load().(string))
	phone.tap("Continue")
	phone.tap("Log in")
	desktop.finish()
}

// register registers a user in the store of a configuration.
func register(t *testing.T, c *scangate.Config, user scangate.NewUser) {
	t.Helper()
	if _, err := c.Users.Register(t.Context(), user); err != nil {
		t.Fatal(err)
	}
}

// TestMiniProgramTerms agrees to the documents: on the page that asks for consent, and on
// one of its own before the phone number.
func TestMiniProgramTerms(t *testing.T) {
	const box = "I have read and agree to these documents"
	s := newSite(t, both(withMiniProgram, withLinks))
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "wang")
	phone.scan(desktop.login.ScanURL)
	phone.wantButtons("Terms of Use", "Privacy Policy", box, "Refuse", "Log in")
	phone.tap("Privacy Policy")
	if got, want := phone.screen.Clipboard, s.url+"/privacy"; got != want {
		t.Errorf("the copied link is %q, want %q", got, want)
	}
	phone.tap("Log in")
	phone.want("Please agree first")
	phone.wantRequests("without the tick", 1)
	phone.tap(box)
	phone.tap("Log in")
	phone.want("Done")
	desktop.finish()

	s = newSite(t, both(withMiniProgram, withLinks, withPhone))
	desktop, phone = newDesktop(t, s), newMiniPhone(t, s, "wang")
	phone.scan(desktop.login.ScanURL)
	phone.want("Before you continue")
	phone.tap("Agree and continue")
	phone.want("Please agree first")
	phone.tap(box)
	phone.tap("Agree and continue")
	phone.want("Your phone number")
	phone.shareNumber("13580006666")
	phone.tap("Log in")
	desktop.finish()
}

// TestMiniProgramRegister registers a new person by the application's own registration. The
// application gets the mini program's token, and the gate returns the person for it.
func TestMiniProgramRegister(t *testing.T) {
	var users scangate.UserStore
	s := newSite(t, both(withMiniProgram, func(c *scangate.Config) {
		c.Registration.Mode, c.Registration.URL, users = scangate.RegisterClosed, "/register", c.Users
	}))
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "wang")
	status := http.StatusInternalServerError
	register := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/register" {
			return false
		}
		pending, err := s.gate.Pending(r)
		if err == nil && status == http.StatusOK {
			_, err = users.Register(r.Context(), scangate.NewUser{Identity: pending.Identity})
		}
		if err != nil {
			t.Errorf("register: %v", err)
		}
		w.WriteHeader(status)
		return true
	}
	s.intercept.Store(&register)
	phone.scan(desktop.login.ScanURL)
	phone.want("New here?", "You have no account yet.")
	phone.wantButtons("Create an account", "Refuse")
	phone.tap("Create an account")
	phone.want("New here?", "Something went wrong")
	status = http.StatusAccepted // the application has not decided yet
	phone.tap("Try again")
	phone.want("New here?", "There is no account of yours yet.")
	status = http.StatusOK
	phone.tap("Create an account")
	phone.want("Log in to Example?", "Device Chrome · Windows")
	phone.tap("Log in")
	desktop.finish()

	s = newSite(t, both(withMiniProgram, func(c *scangate.Config) { c.Registration.Mode = scangate.RegisterClosed }))
	phone = newMiniPhone(t, s, "wang")
	phone.scan(newDesktop(t, s).login.ScanURL)
	phone.want("Not registered", "Please ask the people who run this site.")
	phone.wantButtons()
}

// TestMiniProgramByPhone admits a person by a number that the application has. After another
// number the person may try the next one.
func TestMiniProgramByPhone(t *testing.T) {
	s := newSite(t, both(withMiniProgram, withPhone, func(c *scangate.Config) {
		c.Registration.Mode = scangate.RegisterByPhone
		register(t, c, scangate.NewUser{Identity: scangate.Identity{AppID: "elsewhere", OpenID: "clerk"}, Phone: "+8613580006666", Nickname: "Clerk"})
	}))
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "wang")
	phone.scan(desktop.login.ScanURL)
	phone.shareNumber("13580007777")
	phone.typeInto("6-digit code", s.code.Load().(string))
	phone.tap("Continue")
	phone.want("Your phone number", "There is no account of yours.")
	phone.shareNumber("13580008888")
	phone.typeInto("6-digit code", s.code.Load().(string))
	o := (&outage{site: s, fail: problem(403, "disabled")}).begin() // the user with that number
	phone.tap("Continue")
	phone.want("Your phone number", "This account has been disabled.")
	o.end(t)
	phone.shareNumber("13580006666")
	phone.typeInto("6-digit code", s.code.Load().(string))
	phone.tap("Continue")
	phone.tap("Log in")
	desktop.finish()
}

// TestMiniProgramLink adds a WeChat to the account of a desktop.
func TestMiniProgramLink(t *testing.T) {
	s := newSite(t, both(withMiniProgram, withAccount))
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "wang")
	desktop.startAt("/wechat/link")
	phone.scan(desktop.login.ScanURL)
	phone.want("Add this WeChat to the account at Example?", "Account 林小北", "Add it only if the account is yours.")
	phone.tap("Add")
	phone.want("Done", "confirm there")
	if status, text := desktop.send(http.MethodPost, desktop.login.FinishURL, "{}"); status != http.StatusOK {
		t.Errorf("finish: status = %d, body = %s, want 200", status, text)
	}
	// The WeChat is the account's now, and no other account's.
	phone = newMiniPhone(t, s, "wang")
	phone.open(sceneRecents, miniIndex, nil)
	phone.tap("Log in with WeChat")
	phone.want("Hello, 林小北")
}
