package goredis

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/session"
)

var _ scs.CtxStore = (*Sessions)(nil)

// Sessions is a store of sessions in Redis for scs. Its methods are idempotent, so a call
// whose connection breaks is repeated on another one. Each gives up after 3 seconds.
//
// A session is one key with one value. A manager with HashTokenInStore stores the hash of
// its token, so that a copy of Redis's data contains no token that is valid.
type Sessions struct {
	conditional
	conn   *conn
	prefix string // begins all keys
}

// conditional marks a store of sessions. The gate needs no read before such a store's writes.
type conditional = session.Conditional

// Sessions returns a store of sessions whose keys begin with Options.Prefix, ":session:"
// and the site. Different sites do not see each other's sessions. With PublicURL's host,
// followed by BasePath, the keys are those of a gate with Config.Redis and the same
// prefix.
func (s *Store) Sessions(site string) *Sessions {
	sessions := &Sessions{conn: s.conn, prefix: s.prefix + ":session:" + site + ":"}
	sessions.conditional = session.NewConditional(sessions)
	return sessions
}

// SessionManager returns a manager for Config.Session.Manager. It is like the one that
// [scangate.New] makes, with the sessions in this store: they last 7 days, in the cookie
// "__Host-session", which is named "session" if publicURL is not https. An empty basePath
// means "/wechat", as in Config. Change its fields before New. It returns an error if
// publicURL is not an absolute URL.
func (s *Store) SessionManager(publicURL, basePath string) (*scs.SessionManager, error) {
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("scangate: goredis: SessionManager: %q is not an absolute URL of https or http", publicURL)
	}
	if basePath == "" {
		basePath = "/wechat"
	}
	manager := session.NewManager(u.Scheme == "https", s.Sessions(u.Host+basePath))
	// LoadAndSave of scs calls it; the gate answers errors itself.
	manager.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
	}
	return manager, nil
}

// FindCtx implements [scs.CtxStore].
func (s *Sessions) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	const doing = "reading a session"
	reply, err := s.send(ctx, doing, token, "GET", s.prefix+token)
	if err != nil || reply == nil {
		return nil, false, err
	}
	text, ok := reply.(string)
	if !ok {
		return nil, false, failure(doing, redisconn.ErrReply)
	}
	return []byte(text), true, nil
}

// CommitCtx implements [scs.CtxStore]. A session whose expiry has passed is deleted. Behind
// [scangate.Gate.RequireWeChat], the session with which the request came is written only if
// the store still has it.
func (s *Sessions) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	ttl := time.Until(expiry).Milliseconds()
	if ttl <= 0 {
		return s.DeleteCtx(ctx, token)
	}
	args := []any{"SET", s.prefix + token, b, "PX", ttl}
	if session.OnlyExisting(ctx, token) {
		args = append(args, "XX")
	}
	reply, err := s.send(ctx, "writing a session", token, args...)
	if err == nil && reply == nil {
		session.NoteEnded(ctx, token)
	}
	return err
}

// DeleteCtx implements [scs.CtxStore]. A session that does not exist is not an error.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	reply, err := s.send(ctx, "deleting a session", token, "DEL", s.prefix+token)
	// If Redis deletes the session and the connection breaks before the reply, the second
	// DEL finds none. The session then counts as ended, because a logout would look the same.
	if err == nil && reply == int64(0) {
		session.NoteEnded(ctx, token)
	}
	return err
}

// Find implements [scs.Store]; see FindCtx.
func (s *Sessions) Find(token string) (b []byte, found bool, err error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements [scs.Store]; see CommitCtx.
func (s *Sessions) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete implements [scs.Store]; see DeleteCtx.
func (s *Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// send sends a command about one session, again if the connection breaks: each command
// can be repeated.
func (s *Sessions) send(ctx context.Context, doing, token string, args ...any) (any, error) {
	reply, err := s.conn.read(ctx, func(ctx context.Context) (any, error) {
		return s.conn.do(ctx, s.prefix+token, args...)
	})
	return reply, failure(doing, err)
}

// failure returns err as the methods return it. The result is nil if err is.
func failure(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("scangate: Redis: %s: %w", doing, err)
}
