package scangate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/summary"
)

// The times of the calls to WeChat for a chat.
const (
	lookupTime  = 8 * time.Second // for a look-up of a person's unionid
	lookupWait  = 2 * time.Second // for which an approval waits for that look-up
	sceneTime   = 3 * time.Second // for a QR code with a scene
	sceneLimit  = 20              // codes of one address in a minute; as many look-ups
	sceneBudget = 50_000          // codes of the account in a day; WeChat allows about 100,000
)

// lookUpLater looks the person's unionid up in the background, if another account is
// configured. In one process, at most one such look-up runs for a login.
func (c *chats) lookUpLater(ctx context.Context, l *login.Login) {
	if !c.registrar.lacksLookup(l) {
		return
	}
	if _, running := c.lookingUp.LoadOrStore(l.ID(), true); running {
		return
	}
	started := c.lookups.run(ctx, lookupTime, func(ctx context.Context) {
		defer c.lookingUp.Delete(l.ID())
		defer c.recoverLookup(ctx, l)
		_, _ = c.lookUp(ctx, l)
	})
	if !started {
		c.lookingUp.Delete(l.ID())
	}
}

// recoverLookup logs a panic of the application's code in a look-up. The person's answer
// looks up again.
func (c *chats) recoverLookup(ctx context.Context, l *login.Login) {
	// net/http recovers panics in handlers only. In another goroutine, a panic ends the
	// process.
	if cause := recover(); cause != nil {
		c.logger.ErrorContext(ctx, "scangate: a look-up panicked", "login", shortID(l.ID()), "panic", cause)
	}
}

// lookUp looks up the unionid of a new person, and the user whom it finds. If that fails,
// the person cannot become a user.
func (c *chats) lookUp(ctx context.Context, l *login.Login) (*login.Login, error) {
	who, err := c.fetchUnionID(ctx, l)
	if err != nil {
		c.logger.WarnContext(ctx, "scangate: a new person cannot log in, because their unionid is not known", "login", shortID(l.ID()), "error", publicError(err))
		if errors.Is(err, errWeChat) {
			_, _ = c.refuse(ctx, l, err)
		}
		return l, err
	}
	l, err = c.logins.Learn(ctx, l, who)
	if err != nil {
		return l, err
	}
	if who.Conflict {
		c.respond.emitWithout(ctx, loginEvent(EventConflict, l))
	}
	if who.UserID == "" && c.registrar.mode == RegisterClosed && c.registerURL == "" {
		_, _ = c.refuse(ctx, l, errNotRegistered)
	}
	return l, nil
}

// lookUpNow is lookUp for a request of the person's browser, if it has not succeeded before.
// The calls of one address are limited, because WeChat limits those of the account in a day.
func (c *chats) lookUpNow(r *http.Request, l *login.Login) (*login.Login, error) {
	if !c.registrar.lacksLookup(l) {
		return l, nil
	}
	if err := c.logins.limitTo(r, "lookup", sceneLimit); err != nil {
		return l, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTime)
	defer cancel()
	l, err := c.lookUp(ctx, l)
	if errors.Is(err, login.ErrRepeated) {
		err = nil
	}
	return l, err
}

// fetchUnionID returns the login's person with their unionid, and the user who has it.
func (c *chats) fetchUnionID(ctx context.Context, l *login.Login) (login.Person, error) {
	who := l.Person()
	who.Refusal = "" // that of an earlier look-up, which failed
	if c.accounts.official == nil {
		return who, fmt.Errorf("%w: the account has no Secret", errWeChat)
	}
	follower, err := c.accounts.official.UserInfoByOpenID(ctx, who.Identity.OpenID)
	switch {
	case err != nil:
		return who, fmt.Errorf("looking up the unionid: %w: %w", errWeChat, err)
	case !follower.Subscribed:
		return who, fmt.Errorf("%w: the person does not follow the account", errWeChat)
	}
	c.registrar.logOddities(ctx, "user/info", follower.Oddities)
	if who.Identity.UnionID = follower.UnionID; follower.UnionID == "" {
		return who, nil
	}
	err = c.registrar.lookupUser(ctx, &who)
	return who, err
}

// awaitLookup waits until the unionid of the login's person has been looked up, or the
// look-up has failed, if it is needed. Without a result in time it returns the login as it is.
func (c *chats) awaitLookup(ctx context.Context, l *login.Login) (*login.Login, error) {
	waiting, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	before := l.Person().Refusal // of an earlier look-up, which is under way again
	for c.registrar.lacksLookup(l) && l.Person().Refusal == before && l.Open() == nil {
		next, err := c.logins.Wait(waiting, l)
		switch {
		case waiting.Err() != nil:
			return l, ctx.Err()
		case err != nil:
			return l, err
		}
		l = next
	}
	return l, nil
}

// offer gives a login that is authorized in a chat its code or its digits, unless it has
// them.
func (c *chats) offer(r *http.Request, l *login.Login) (*login.Login, error) {
	if !l.InChat() || l.Identified() || l.Scene() != "" || l.Digits() != "" {
		return l, nil
	}
	if l.Way() == login.WayFollow {
		offered, err := c.offerScene(r, l)
		if err == nil || failureOf(err).status == http.StatusServiceUnavailable {
			return offered, err
		}
		// In the summary, because many login pages reach a limit at once.
		c.respond.failureLog.Add(r.Context(), summary.Failure{Level: slog.LevelWarn, Code: "digits", Error: publicError(err).Error()}, "route", r.Pattern)
	}
	offered, err := c.logins.IssueDigits(r.Context(), l)
	if errors.Is(err, login.ErrRepeated) {
		err = nil // another tab was faster
	}
	return offered, err
}

// offerScene gives the login a QR code of the account, within the limits of the account's
// calls.
func (c *chats) offerScene(r *http.Request, l *login.Login) (*login.Login, error) {
	if err := c.logins.limiter.count(r, "scene", sceneLimit); err != nil {
		return l, err
	}
	n, err := c.state.Add(r.Context(), "scenes", 24*time.Hour)
	switch {
	case err != nil:
		return l, wrap("counting QR codes", err)
	case n > sceneBudget:
		return l, errTooMany
	}
	ctx, cancel := context.WithTimeout(r.Context(), sceneTime)
	defer cancel()
	// At least a second longer than the login, so that a scan in its last moment gets an
	// answer.
	code, err := c.accounts.official.CreateQRCode(ctx, c.scene(l), time.Until(l.Expires()).Truncate(time.Second)+2*time.Second)
	if err != nil {
		return l, fmt.Errorf("creating a QR code: %w: %w", errWeChat, err)
	}
	l, err = c.logins.SetScene(r.Context(), l, code.URL)
	if errors.Is(err, login.ErrRepeated) {
		err = nil
	}
	return l, err
}
