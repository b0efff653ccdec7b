package scangate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/internal/summary"
	"github.com/scangate/scangate/wechat"
)

// ErrNotLogin reports that a message does not belong to a login; see [Gate.HandlePush].
var ErrNotLogin = errors.New("scangate: the message does not belong to a login")

// The times of one push. WeChat waits 5 seconds for the answer to a delivery. It delivers
// the message again 5, 10 and 15 seconds after the first delivery.
const (
	handleTime = 4 * time.Second  // for Push.Handle
	pushTime   = 4 * time.Second  // for the stores, before the connection is closed
	lateTime   = 3 * time.Second  // the same for a delivery that may be the last one
	lateAfter  = 10 * time.Second // the age from which on a delivery may be the last one
)

// pusher serves the push URL of the official account. It verifies messages, lets chats take
// them, and passes them to Push.Handle.
type pusher struct {
	cipher  *wechat.Cipher
	handle  func(context.Context, wechat.Message) (wechat.Reply, error) // may be nil
	chats   *chats
	users   UserStore
	state   state.Store
	respond *responder
	logger  *slog.Logger
	after   *background
}

// servePushCheck answers WeChat's check of the push URL.
func (g *Gate) servePushCheck(w http.ResponseWriter, r *http.Request) error {
	if g.pusher == nil {
		return login.ErrUnknown
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("the query cannot be parsed")
	}
	echo, err := g.pusher.cipher.Echo(q)
	if err != nil {
		return g.unverifiedPush(r, err)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, echo) //nolint:gosec // signed, and without characters of markup
	return nil
}

// servePush takes a message.
func (g *Gate) servePush(w http.ResponseWriter, r *http.Request) error {
	if g.pusher == nil {
		return login.ErrUnknown
	}
	body, err := io.ReadAll(r.Body)
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return errTooLarge
	}
	q, failed := url.ParseQuery(r.URL.RawQuery)
	if err != nil || failed != nil {
		return badRequest("the body or the query cannot be read")
	}
	push, err := g.pusher.cipher.Open(q, body)
	if err != nil {
		return g.unverifiedPush(r, err)
	}
	reply, err := g.pusher.reply(r.Context(), push, q)
	if err != nil {
		g.pusher.logFailure(r.Context(), err)
		// Without a byte of an answer, WeChat repeats the message.
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8") // WeChat reads the body only
	_, _ = w.Write(push.Reply(reply))                           //nolint:gosec // no browser sends a signed message
	return nil
}

// unverifiedPush returns the answer to a push that is malformed or not WeChat's. All of the
// latter have the same answer, and count against the address.
func (g *Gate) unverifiedPush(r *http.Request, err error) error {
	if errors.Is(err, wechat.ErrMessage) {
		return fmt.Errorf("%w: %w", errBadRequest, err)
	}
	if err := g.logins.limit(r, "push"); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", errForged, err)
}

// HandlePush takes a message to the official account, for an application that serves the
// account's push URL itself. The query and the body are those of WeChat's request: the gate
// accepts no parsed message, because that could be forged. It returns the body of the
// response, which has to be sent within 5 seconds of the request.
//
// It returns [ErrNotLogin] for a verified message that does not belong to a login. Answer
// that as you do without the gate. For an error that matches [wechat.ErrUnverified] or
// [wechat.ErrMessage], answer with status 403 or 400. Any other error is that of a store:
// close the connection without an answer, by panic(http.ErrAbortHandler), so that WeChat
// repeats the message.
//
// HandlePush needs [Config.Push] and never calls its Handle. It returns within about 4
// seconds. It looks a new person's unionid up in the background. An approval waits for
// that, for at most 2 seconds.
func (g *Gate) HandlePush(ctx context.Context, query url.Values, body []byte) (reply []byte, err error) {
	if g.pusher == nil {
		return nil, configError("Push", "HandlePush needs it")
	}
	push, err := g.pusher.cipher.Open(query, body)
	if err != nil {
		return nil, publicError(err)
	}
	taken, err := g.pusher.take(ctx, push.Message, query, false)
	switch {
	case err != nil:
		return nil, publicError(err)
	case !taken.own:
		return nil, ErrNotLogin
	}
	return push.Reply(wechat.Reply{Text: taken.text}), nil
}

// reply returns the reply to a message: that of its login or, for any other message that is
// new, that of Push.Handle.
func (p *pusher) reply(ctx context.Context, push wechat.Push, query url.Values) (wechat.Reply, error) {
	taken, err := p.take(ctx, push.Message, query, p.handle != nil)
	switch {
	case err != nil:
		return wechat.Reply{}, err
	case p.handle == nil || !taken.first:
		return wechat.Reply{Text: taken.text}, nil
	case taken.own:
		// The reply of a login does not wait for the application.
		p.after.run(ctx, handleTime, func(ctx context.Context) { p.call(ctx, push.Message) })
		return wechat.Reply{Text: taken.text}, nil
	}
	return p.await(ctx, push.Message), nil
}

// taken is the outcome of a delivery.
type taken struct {
	answered
	first bool // no other delivery of the message was taken before
}

// storePause is the time between two tries of a store.
const storePause = 200 * time.Millisecond

// take lets chats take a message, and tries again while a store fails. With dedupe, it notes
// whether the message is new. An error means that the message has to be delivered again.
func (p *pusher) take(ctx context.Context, m wechat.Message, query url.Values, dedupe bool) (taken, error) {
	late := isLate(m, query)
	limit := pushTime
	if late {
		limit = lateTime
	}
	// WeChat's connection may end earlier, but the message is here.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	delivery := rand.Text()
	for {
		t, err := p.tryTake(ctx, m, dedupe, delivery)
		if err == nil {
			return t, nil
		}
		pause := time.NewTimer(storePause)
		select {
		case <-pause.C:
			continue
		case <-ctx.Done():
			pause.Stop()
		}
		switch {
		case !late:
			return taken{}, err
		case p.chats.concerns(m):
			// No further delivery may come. The text changes no login, so another one
			// still works if it does come.
			p.logFailure(ctx, err)
			return taken{answered: answered{true, p.chats.renew()}}, nil
		}
		p.logFailure(ctx, err)
		// Push.Handle may have received the message before. Twice is better than never.
		return taken{first: true}, nil
	}
}

// tryTake takes a message once. The tries of one delivery have the same name.
func (p *pusher) tryTake(ctx context.Context, m wechat.Message, dedupe bool, delivery string) (taken, error) {
	a, err := p.chats.receive(ctx, m)
	if err != nil {
		return taken{}, err
	}
	t, unfollows := taken{answered: a}, m.IsEvent("unsubscribe")
	if !dedupe && !unfollows {
		return t, nil
	}
	var user User
	if unfollows {
		user, err = p.users.FindByWeChat(ctx, Identity{AppID: p.chats.accounts.officialID, OpenID: m.FromUserName})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return t, wrap("looking an identity up", err)
		}
	}
	if t.first, err = p.isFirst(ctx, m, delivery); err != nil {
		return t, wrap("noting a message", err)
	}
	if unfollows && t.first {
		p.respond.emitWithout(ctx, Event{Name: EventUnfollowed, UserID: user.ID, AppID: p.chats.accounts.officialID})
	}
	return t, nil
}

// isFirst reports whether no other delivery of the message was noted before, and notes this
// one. A repeated call for the same delivery returns the same.
func (p *pusher) isFirst(ctx context.Context, m wechat.Message, delivery string) (bool, error) {
	key := "push:" + m.RepeatKey()
	// A message can be sent again, signed as before, while it is not too old. A counter
	// would do, but a MemoryStore has few of them: messages would push limits out.
	acceptable := time.Until(m.CreateTime) + wechat.MaxMessageAge + clockSkew
	err := p.state.Create(ctx, key, []byte(delivery), max(acceptable, clockSkew))
	if !errors.Is(err, ErrExists) {
		return err == nil, err
	}
	// It may be this delivery's own: a store can fail after it has written.
	noted, _, err := p.state.Load(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return string(noted) == delivery, err
}

// isLate reports whether a delivery may be the last one of its message. WeChat's clock has
// made both times of a delivery, and this server's may be wrong.
func isLate(m wechat.Message, query url.Values) bool {
	seconds, err := strconv.ParseInt(query.Get("timestamp"), 10, 64)
	delivered := err == nil && time.Unix(seconds, 0).Sub(m.CreateTime) >= lateAfter
	return delivered || time.Since(m.CreateTime) >= lateAfter
}

// await returns the reply of Push.Handle, or none after its time.
func (p *pusher) await(ctx context.Context, m wechat.Message) wechat.Reply {
	replied := make(chan wechat.Reply, 1)
	if !p.after.run(ctx, handleTime, func(ctx context.Context) { replied <- p.call(ctx, m) }) {
		p.logger.ErrorContext(ctx, "scangate: Config.Push.Handle was not called: too many calls run, or the gate is closed")
		return wechat.Reply{}
	}
	limit := time.NewTimer(handleTime)
	defer limit.Stop()
	select {
	case reply := <-replied:
		return reply
	case <-limit.C:
		p.logger.ErrorContext(ctx, "scangate: Config.Push.Handle took too long", "message", m)
		return wechat.Reply{}
	}
}

// call calls Push.Handle. Its panic costs one reply.
func (p *pusher) call(ctx context.Context, m wechat.Message) (reply wechat.Reply) {
	defer func() {
		if cause := recover(); cause != nil {
			p.logger.ErrorContext(ctx, "scangate: Config.Push.Handle panicked", "message", m, "panic", cause)
			reply = wechat.Reply{}
		}
	}()
	reply, err := p.handle(ctx, m)
	if err != nil {
		p.logger.ErrorContext(ctx, "scangate: Config.Push.Handle failed", "message", m, "error", publicError(err))
		return wechat.Reply{}
	}
	return reply
}

// logFailure logs that a store failed to take a message.
func (p *pusher) logFailure(ctx context.Context, err error) {
	p.respond.failureLog.Add(ctx, summary.Failure{Level: failureLevel(err), Code: "unavailable", Error: publicError(err).Error()}, "route", "push")
}
