package scangate

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/scangate/scangate/internal/chat"
	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/wechat"
)

// answered is the outcome of a message.
type answered struct {
	own  bool        // the message belongs to a login
	text wechat.Text // of the reply; "" for none
}

// replyTime is how long a repeated message gets the reply of the first one.
const replyTime = time.Minute

// receive takes a message of a person. After an error, which is that of a store, it can take
// the same message again.
func (c *chats) receive(ctx context.Context, m wechat.Message) (answered, error) {
	scene, _ := m.Scene()
	id, scanned := c.sceneLogin(scene)
	answer := chat.Answer{}
	if m.MsgType == "text" {
		answer = chat.Read(m.Content)
	}
	if !scanned && answer.Kind == chat.Other || m.FromUserName == "" {
		return answered{}, nil
	}
	key := "reply:" + m.RepeatKey()
	stored, _, err := c.state.Load(ctx, key)
	if err == nil {
		return answered{true, wechat.Text(stored)}, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return answered{}, wrap("reading a reply", err)
	}
	var a answered
	if scanned {
		a, err = c.scan(ctx, m, id)
	} else {
		a, err = c.answer(ctx, m, answer)
	}
	if err != nil || !a.own || a.text == "" {
		return a, err // silence must not take the place of another delivery's reply
	}
	err = c.state.Create(ctx, key, []byte(a.text), replyTime)
	if errors.Is(err, ErrExists) {
		return c.receive(ctx, m) // another delivery was faster, and its reply counts
	}
	return a, wrap("storing a reply", err)
}

// concerns reports whether a message may belong to a login, by its form alone.
func (c *chats) concerns(m wechat.Message) bool {
	if scene, ok := m.Scene(); ok {
		_, own := c.sceneLogin(scene)
		return own
	}
	return m.MsgType == "text" && chat.Read(m.Content).Kind == chat.Code && c.takesDigits
}

// renew is the reply when the stores have failed for too long.
func (c *chats) renew() wechat.Text { return c.speaker(nil).Line("chat.renew") }

// scan takes the scan of the login's code.
func (c *chats) scan(ctx context.Context, m wechat.Message, id string) (answered, error) {
	l, err := c.logins.Load(ctx, id)
	switch {
	case errors.Is(err, login.ErrUnknown), err == nil && !c.accounts.serves(l):
		return answered{true, c.speaker(nil).Line("chat.over")}, nil
	case err != nil:
		return answered{}, err
	}
	text, err := c.begin(ctx, l, m, false)
	return answered{true, text}, err
}

// begin notes the sender of the message as the login's person, and returns the question to
// them. With typed, the message has the login's digits.
func (c *chats) begin(ctx context.Context, l *login.Login, m wechat.Message, typed bool) (wechat.Text, error) {
	who := login.Person{Identity: login.Identity{AppID: c.accounts.officialID, OpenID: m.FromUserName}}
	if l.Purpose() == login.PurposeLink {
		who.UserID, _ = l.Target() // whether another user owns the identity is checked at approval
	} else if err := c.registrar.lookupUser(ctx, &who); err != nil {
		return "", err
	}
	l, err := c.logins.Vouch(ctx, l, who, typed, m.CreateTime)
	switch {
	case err == nil:
		// One message is both: it names the login, and WeChat vouches for its sender.
		c.respond.emitWithout(ctx, loginEvent(EventScanned, l))
		c.respond.emitWithout(ctx, loginEvent(EventIdentified, l))
		c.lookUpLater(ctx, l)
	case errors.Is(err, login.ErrRepeated):
		c.lookUpLater(ctx, l) // again, if the first attempt has failed
	case errors.Is(err, login.ErrInUse) && !typed:
		return c.speaker(l).Line("chat.taken"), nil
	case typed && failureOf(err).status != http.StatusServiceUnavailable:
		// In the language of all misses: that of the login's page would show that there is one.
		return c.speaker(nil).Line("chat.missed"), nil
	case failureOf(err).status != http.StatusServiceUnavailable:
		return c.speaker(l).Line("chat.over"), nil
	default:
		return "", err
	}
	return c.ask(ctx, l)
}

// ask returns the question to the login's person, or why they cannot log in.
func (c *chats) ask(ctx context.Context, l *login.Login) (wechat.Text, error) {
	next := c.registrar.nextStep(l)
	switch {
	case l.Person().Refusal != "":
		return c.refusal(l), nil
	case next == stepOther:
		return c.refuse(ctx, l, errOtherUser)
	case next == stepRegister && c.registerURL == "" && !c.registrar.lacksLookup(l):
		return c.refuse(ctx, l, errNotRegistered)
	}
	origin, speaker := l.Origin(), c.speaker(l)
	from := chat.Origin{Browser: origin.Browser, System: origin.System, Address: origin.Address, Place: c.locator.place(ctx, origin.Address)}
	if c.registrar.needsPage(l) && (next != stepRegister || c.registerURL != "") {
		return speaker.Lead(from, l.Typed(), c.link(l)), nil
	}
	return speaker.Ask(from, l.Typed()), nil
}

// answer takes a message of digits: those of a login, or the answer to a question.
func (c *chats) answer(ctx context.Context, m wechat.Message, a chat.Answer) (answered, error) {
	if a.Kind == chat.Code {
		return c.digits(ctx, m, a.Digits)
	}
	who := login.Identity{AppID: c.accounts.officialID, OpenID: m.FromUserName}
	l, err := c.logins.FindChat(ctx, who, m.CreateTime)
	switch {
	case errors.Is(err, login.ErrUnknown), err == nil && !c.accounts.serves(l):
		return answered{}, nil
	case err != nil:
		return answered{}, err
	case a.Kind == chat.Echo:
		return c.echo(ctx, l, a.Digits, m.RepeatKey())
	case errors.Is(l.Open(), login.ErrExpired), errors.Is(l.Open(), login.ErrReplaced):
		return answered{true, c.speaker(l).Line("chat.over")}, nil
	}
	return c.decide(ctx, l, a)
}

// saysYes reports whether the answer approves the login. The number is asked for unless the
// person has sent the digits of the same screen.
func saysYes(l *login.Login, a chat.Answer) bool {
	if l.Typed() {
		return a.Kind == chat.Single && a.Digits == "1"
	}
	return a.Kind == chat.Number && a.Digits == strconv.Itoa(l.Number())
}

// refused reports whether the person cannot log in whatever they answer. After a look-up
// that failed, they can: their answer looks up again.
func (c *chats) refused(l *login.Login) bool {
	reason := l.Person().Refusal
	return reason != "" && (reason != refusalWeChat || !c.registrar.lacksLookup(l))
}

// decide takes the person's decision. A wrong number denies: a guess must not get a second
// try.
func (c *chats) decide(ctx context.Context, l *login.Login, a chat.Answer) (answered, error) {
	yes := saysYes(l, a)
	refuses := a.Kind == chat.Single && a.Digits == "0"
	undecided := l.State() == login.StateIdentified || l.State() == login.StateExchanging
	switch {
	case refuses || undecided && !yes && !c.refused(l):
		return c.deny(ctx, l)
	case !yes && l.State() == login.StateDenied:
		return c.deny(ctx, l) // the same message again, after its reply was lost
	case !yes:
		return answered{}, nil // the person has decided before
	case undecided && c.refused(l):
		return answered{true, c.refusal(l)}, nil
	case undecided:
		return c.approve(ctx, l)
	}
	return c.record(ctx, l)
}

// deny ends the login.
func (c *chats) deny(ctx context.Context, l *login.Login) (answered, error) {
	l, err := c.logins.Deny(ctx, l)
	switch {
	case err == nil:
		c.respond.emitWithout(ctx, loginEvent(EventDenied, l))
	case errors.Is(err, login.ErrRepeated):
	case failureOf(err).status != http.StatusServiceUnavailable:
		return answered{}, nil // it is over, and so the message is not about it
	default:
		return answered{}, err
	}
	return answered{true, c.speaker(l).Line("chat.denied")}, nil
}

// approve lets the initiator in, after the person has become a user.
func (c *chats) approve(ctx context.Context, l *login.Login) (answered, error) {
	c.lookUpLater(ctx, l) // again, if the first attempt has failed
	l, err := c.awaitLookup(ctx, l)
	if err != nil {
		return answered{}, err
	}
	next := c.registrar.nextStep(l)
	if l.Person().Refusal != "" || c.registrar.needsPage(l) && !c.registrar.lacksLookup(l) || next == stepOther {
		text, err := c.ask(ctx, l)
		return answered{true, text}, err
	}
	l, err = c.registrar.ensureUser(ctx, c.logins.Store, l, func(e Event) { c.respond.emitWithout(ctx, e) })
	switch {
	case err == nil:
		return c.record(ctx, l)
	case errors.Is(err, errNotRegistered), errors.Is(err, errWeChat), errors.Is(err, errOtherUser):
		text, err := c.refuse(ctx, l, err)
		return answered{true, text}, err
	case failureOf(err).status != http.StatusServiceUnavailable:
		return answered{true, c.speaker(l).Line("chat.over")}, nil
	}
	return answered{}, err
}

// record stores the approval, and confirms it.
func (c *chats) record(ctx context.Context, l *login.Login) (answered, error) {
	l, err := c.logins.Approve(ctx, l)
	switch {
	case err == nil:
		c.respond.emitWithout(ctx, loginEvent(EventApproved, l))
	case errors.Is(err, login.ErrRepeated):
	case errors.Is(err, login.ErrDenied):
		return answered{true, c.speaker(l).Line("chat.denied")}, nil
	case errors.Is(err, login.ErrFinished), errors.Is(err, login.ErrNotApproved):
		return answered{}, nil // it is over, and so the message is not about it
	case failureOf(err).status != http.StatusServiceUnavailable:
		return answered{true, c.speaker(l).Line("chat.over")}, nil
	default:
		return answered{}, err
	}
	return answered{true, c.speaker(l).Line("chat.approved")}, nil
}

// echo takes four digits, which are an answer only while a page shows some. The message with
// them has a name.
func (c *chats) echo(ctx context.Context, l *login.Login, digits, message string) (answered, error) {
	repeated := l.Echoed(message) // its reply may be lost
	if !l.AwaitsEcho() && !repeated {
		return answered{}, nil
	}
	l, err := c.logins.Echo(ctx, l, digits, message)
	switch {
	case err == nil, errors.Is(err, login.ErrRepeated):
		return answered{true, c.speaker(l).Line("chat.opened")}, nil
	case errors.Is(err, login.ErrCodeWrong) && l.State() == login.StateDenied:
		if !repeated {
			c.respond.emitWithout(ctx, loginEvent(EventDenied, l))
		}
		return answered{true, c.speaker(l).Line("chat.denied")}, nil
	case errors.Is(err, login.ErrCodeWrong):
		return answered{true, c.speaker(l).Line("chat.wrong")}, nil
	case failureOf(err).status != http.StatusServiceUnavailable:
		return answered{}, nil
	}
	return answered{}, err
}

// maxMisses is how many digits of no login a person may send in an hour.
const maxMisses = 5

// digits takes the eight digits of a login.
func (c *chats) digits(ctx context.Context, m wechat.Message, digits string) (answered, error) {
	if !c.takesDigits {
		return answered{}, nil
	}
	// A MemoryStore may drop this quota: otherwise every person in WeChat could fill it.
	sum := sha256.Sum256([]byte(m.FromUserName))
	misses := state.Quota{Key: "misses:" + base32.StdEncoding.EncodeToString(sum[:20]), Max: maxMisses, Window: time.Hour}
	// Before the digits are looked up: messages that arrive at the same time must not all
	// pass. The deliveries of one message are one try.
	err := state.ReserveNamed(ctx, c.state, misses, m.RepeatKey())
	if quota := new(state.QuotaError); errors.As(err, &quota) {
		return answered{own: true}, nil // right digits too: an answer would show that they are
	}
	if err != nil {
		return answered{}, wrap("counting digits", err)
	}
	l, err := c.logins.FindDigits(ctx, digits, m.FromUserName)
	switch {
	case errors.Is(err, login.ErrUnknown), err == nil && !c.accounts.serves(l):
		return answered{true, c.speaker(nil).Line("chat.missed")}, nil
	case err != nil:
		return answered{}, err
	}
	if err := state.RefundNamed(ctx, c.state, misses, m.RepeatKey()); err != nil {
		return answered{}, wrap("counting digits", err)
	}
	text, err := c.begin(ctx, l, m, true)
	return answered{true, text}, err
}
