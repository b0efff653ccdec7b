package login

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"time"
)

// Way is how a person proves their identity for a login. It is empty for a login that
// begins with the user of a session.
type Way string

// The ways of a login.
const (
	// WayWeb is WeChat's web authorization by the official account.
	WayWeb Way = "web"
	// WayWebsite is WeChat's own QR page.
	WayWebsite Way = "website"
	// WayFollow is a scan of the account's QR code with a scene.
	WayFollow Way = "follow"
	// WayMessage is a message with digits to the account.
	WayMessage Way = "message"
	// WayMini is a mini program. If the official account has web authorization, that
	// proves an identity for a scan too.
	WayMini Way = "mini"
)

// The limits of a login that is authorized in a chat.
const (
	digitsLength = 8         // of the digits that a person sends to the account
	digitsRest   = time.Hour // after the login's time, before the same digits can be issued again
	echoLength   = 4         // digits of an echo
	maxEchoes    = 4         // browsers that may wait for an echo at the same time
	maxEchoTries = 3
)

// chat is what a record has of a login that is authorized in a chat.
type chat struct {
	Scene  string // the text of the account's QR code with the login's scene, or ""
	Digits string // the eight digits to send to the account, or ""
	Typed  bool   // the person sent the digits, so the screens are known to match
	Echoes []echo // of browsers that wait to be recognized, the oldest first
	Tries  int    // wrong echoes
	Echoed string // names the message with the last echo, right or wrong

	Learned bool // the account has looked up the person's unionid
	Proving bool // the authorizer's browser is asking WeChat whose it is
}

// echo is the number that one browser shows, for the person to send to the chat.
type echo struct {
	Browser Digest
	Digits  string
}

// inChat reports whether the login is authorized in a chat.
func (r *record) inChat() bool { return r.Way == WayFollow || r.Way == WayMessage }

// bound reports whether a browser is the authorizer's. A browser that is still proving that
// is not.
func (r *record) bound() bool { return r.Authorizer != Digest{} && (r.Chat == nil || !r.Chat.Proving) }

// offered returns nil if the login may get a QR code or digits. It gets one of them, once.
func (r *record) offered() error {
	switch err := r.open(); {
	case !r.inChat():
		return ErrUnknown
	case err != nil:
		return err
	case r.Person != nil || r.Chat != nil:
		return ErrRepeated
	}
	return nil
}

// setScene notes the text of the QR code to show.
func (r *record) setScene(text string) error {
	if err := r.offered(); err != nil {
		return err
	}
	r.Chat = &chat{Scene: text}
	return nil
}

// setDigits notes the digits to show.
func (r *record) setDigits(digits string) error {
	if err := r.offered(); err != nil {
		return err
	}
	r.Chat = &chat{Digits: digits}
	return nil
}

// vouch notes the person whose message has named the login. Their first message counts,
// and no other person can have the login then.
func (r *record) vouch(who Person, typed bool) error {
	if !r.inChat() || r.Chat == nil {
		return ErrUnknown
	}
	switch err := r.open(); {
	case err != nil:
		return err
	case r.Person != nil && r.Person.Identity.OpenID != who.Identity.OpenID:
		return ErrInUse
	case r.Person != nil:
		return ErrRepeated
	}
	r.State, r.Person, r.Expires = StateIdentified, &who, time.Now().Add(identifiedTTL)
	r.Chat.Typed = typed
	return nil
}

// learn notes what the account has learned about the person since vouch: the unionid, and
// the user whom it finds.
func (r *record) learn(who Person) error {
	if err := r.identified(); err != nil {
		return err
	}
	if !r.learns() {
		return ErrRepeated
	}
	r.Person.Identity.UnionID, r.Chat.Learned = who.Identity.UnionID, true
	r.Person.UserID, r.Person.Nickname, r.Person.HasPhone = who.UserID, who.Nickname, who.HasPhone
	r.Person.Refusal = who.Refusal
	return nil
}

// learns reports whether the account has still to look up the person's unionid. It is false
// once the person has gone on.
func (r *record) learns() bool {
	return r.State == StateIdentified && r.Chat != nil && !r.Chat.Learned && r.Person.UserID == ""
}

// refuseUnlearned notes why the person cannot log in while their unionid is not known.
func (r *record) refuseUnlearned(reason string) error {
	if err := r.identified(); err != nil {
		return err
	}
	if !r.learns() {
		return ErrRepeated
	}
	return r.refuse(reason)
}

// supersede ends a login whose person has begun another one. After the approval, the
// person has decided.
func (r *record) supersede() error {
	if r.State == StateApproved {
		return ErrRepeated
	}
	return r.replace()
}

// awaitEcho lets the browser wait until its number is sent to the chat, and returns the
// number.
func (r *record) awaitEcho(browser Digest) (string, error) {
	switch err := r.identified(); {
	case !r.inChat():
		return "", ErrUnknown
	case err != nil:
		return "", err
	case r.authorizedBy(browser):
		return "", ErrRepeated
	case r.bound() || r.State != StateIdentified:
		return "", ErrInUse
	}
	for _, e := range r.Chat.Echoes {
		if e.Browser == browser {
			return e.Digits, ErrRepeated
		}
	}
	digits, err := r.newEcho()
	if err != nil {
		return "", err
	}
	waiting := append([]echo{}, r.Chat.Echoes...)
	waiting = append(waiting, echo{browser, digits})
	r.Chat.Echoes = waiting[max(len(waiting)-maxEchoes, 0):]
	return digits, nil
}

// newEcho returns a number that no other waiting browser shows.
func (r *record) newEcho() (string, error) {
	for {
		digits, err := randomDigits(echoLength)
		if err != nil {
			return "", err
		}
		used := false
		for _, e := range r.Chat.Echoes {
			used = used || e.Digits == digits
		}
		if !used {
			return digits, nil
		}
	}
}

// echo makes the browser that shows the number the authorizer's, and reports whether there
// is one. The third wrong number ends the login. A repeated message changes nothing.
func (r *record) echo(digits, message string) (right bool, err error) {
	repeated := r.Chat != nil && r.Chat.Echoed == message
	switch err := r.identified(); {
	case repeated && r.State == StateDenied:
		return false, ErrCodeWrong
	case err != nil:
		return false, err
	case repeated && r.bound():
		return true, ErrRepeated
	case r.bound() || !r.inChat() || len(r.Chat.Echoes) == 0:
		return false, ErrUnknown
	}
	if repeated {
		return false, ErrCodeWrong // it costs no try
	}
	r.Chat.Echoed = message
	for _, e := range r.Chat.Echoes {
		if equal(e.Digits, digits) {
			r.Authorizer, r.Chat.Echoes = e.Browser, nil
			return true, nil
		}
	}
	if r.Chat.Tries++; r.Chat.Tries >= maxEchoTries {
		return false, r.deny()
	}
	return false, nil
}

// randomDigits returns n random digits.
func randomDigits(n int) (string, error) {
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	number, err := rand.Int(rand.Reader, most)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%0*d", n, number), nil
}

// Way returns how the person proves their identity.
func (l *Login) Way() Way { return l.record.Way }

// InChat reports whether the login is authorized in a chat with the account.
func (l *Login) InChat() bool { return l.record.inChat() }

// Scene returns the text of the account's QR code with the login's scene, or "".
func (l *Login) Scene() string {
	if l.record.Chat == nil {
		return ""
	}
	return l.record.Chat.Scene
}

// Digits returns the eight digits that the person sends to the account, or "".
func (l *Login) Digits() string {
	if l.record.Chat == nil {
		return ""
	}
	return l.record.Chat.Digits
}

// Typed reports whether the person sent the digits, which only the initiator's screen
// shows.
func (l *Login) Typed() bool { return l.record.Chat != nil && l.record.Chat.Typed }

// Learned reports whether the account has looked up the unionid of the person in the chat.
func (l *Login) Learned() bool { return l.record.Chat != nil && l.record.Chat.Learned }

// Bound reports whether one browser is the authorizer's. In a chat that takes more than a
// message.
func (l *Login) Bound() bool { return l.record.bound() }

// EchoFor returns the digits that the browser with that key shows while it waits for them
// to be sent to the chat, or "".
func (l *Login) EchoFor(key Key) string {
	if l.record.Chat == nil || l.record.bound() {
		return ""
	}
	for _, e := range l.record.Chat.Echoes {
		if e.Browser == key.Digest() {
			return e.Digits
		}
	}
	return ""
}

// Echoed reports whether the message with that name was the last echo.
func (l *Login) Echoed(message string) bool {
	return l.record.Chat != nil && l.record.Chat.Echoed == message
}

// AwaitsEcho reports whether a browser waits until its number is sent to the chat.
func (l *Login) AwaitsEcho() bool {
	return l.record.Chat != nil && len(l.record.Chat.Echoes) > 0 && !l.record.bound()
}
