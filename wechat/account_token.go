package wechat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// renewEarly is the time before a token's expiry from which WeChat answers with the
	// next token. Both are valid until then.
	renewEarly = 5 * time.Minute
	// renewPause is the shortest time between two tokens, also if a call fails.
	renewPause = 30 * time.Second
	// renewTimeout limits a renewal while the old token is valid. It leaves the rest of the
	// time to the call that needs the token.
	renewTimeout = 2 * time.Second
)

// AccountToken authorizes calls for the account itself. It is not the [Token] of a person.
// It prints and logs without the token. Its JSON contains the token, so that one process
// can serve it to others.
type AccountToken struct {
	// AccessToken is the token, of at most 512 bytes.
	AccessToken string
	// Expiry is the end of its lifetime, at most two hours after it was issued.
	Expiry time.Time
}

// String returns a description of the token without its secret.
func (t AccountToken) String() string {
	return "account token until " + t.Expiry.Format(time.RFC3339)
}

// GoString implements [fmt.GoStringer] without the token.
func (t AccountToken) GoString() string { return "wechat.AccountToken{" + t.String() + "}" }

// LogValue implements [slog.LogValuer] without the token.
func (t AccountToken) LogValue() slog.Value { return slog.GroupValue(slog.Time("expiry", t.Expiry)) }

// AccessToken returns the account's token ("获取稳定版接口调用凭据"). The client keeps it in
// memory and fetches the next one in the last five minutes of its lifetime. While that
// fails, AccessToken returns the old token until it expires. One call at a time fetches a
// token; others wait for its result.
//
// Any number of processes can have a client of one account: WeChat gives all of them the
// same token. The server's address must be on the account's IP list; otherwise the error
// matches [ErrConfiguration].
func (c *Client) AccessToken(ctx context.Context) (AccountToken, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.tokens().get(ctx, "")
}

// WithTokenSource returns a copy of the client that gets the account's token from source,
// for an account whose tokens come from a central service. [Client.AccessToken] of another
// client is such a source. The copy keeps a token in memory until five minutes before its
// Expiry. It calls source again when WeChat refuses the token.
//
// The context of source ends when the client's time limit for a call is reached. An error
// of source must not contain a secret, because the client returns it.
func (c *Client) WithTokenSource(source func(context.Context) (AccountToken, error)) *Client {
	tokens := &accountTokens{fetch: func(ctx context.Context) (AccountToken, error) {
		token, err := source(ctx)
		switch {
		case err != nil:
			return AccountToken{}, fmt.Errorf("wechat: token source: %w", err)
		case !printable(token.AccessToken, maxToken):
			return AccountToken{}, fmt.Errorf("wechat: token source: %w: no access token", ErrResponse)
		}
		return token, nil
	}}
	own := *c
	own.tokens = func() *accountTokens { return tokens }
	return &own
}

// stableToken fetches the account's token.
func (c *Client) stableToken(ctx context.Context) (AccountToken, error) {
	// As for a person's token, counting from the request is on the safe side.
	sent := time.Now()
	var answer accountTokenAnswer
	err := c.call(ctx, request{
		op: opStableToken, path: "/cgi-bin/stable_token",
		// force_refresh would invalidate the token of all other processes. WeChat allows
		// it 20 times a day. Without the parameter, some accounts get an error.
		body: struct {
			GrantType    string `json:"grant_type"`
			AppID        string `json:"appid"`
			Secret       string `json:"secret"`
			ForceRefresh bool   `json:"force_refresh"`
		}{"client_credential", c.appID, c.secret(), false},
		private: []string{c.secret()},
	}, &answer)
	if err != nil {
		return AccountToken{}, err
	}
	return AccountToken{AccessToken: answer.AccessToken.value, Expiry: sent.Add(lifetime(answer.ExpiresIn))}, nil
}

// accountTokenAnswer answers a request for the account's token.
type accountTokenAnswer struct {
	oddities
	AccessToken tolerant[string] `json:"access_token"`
	ExpiresIn   tolerant[int64]  `json:"expires_in"`
}

func (a *accountTokenAnswer) problem() error {
	if a.AccessToken.odd || !printable(a.AccessToken.value, maxToken) {
		return errors.New("no access token")
	}
	return nil
}

// accountCall is call for r with the account's token. If WeChat refuses the token,
// accountCall fetches another one and sends r once more.
func (c *Client) accountCall(ctx context.Context, r request, decode func(request, []byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	stale := ""
	for {
		token, err := c.tokens().get(ctx, stale)
		if err != nil {
			return err
		}
		authorized := r.withToken(token.AccessToken)
		err = c.callFor(ctx, authorized, func(body []byte) error { return decode(authorized, body) })
		if stale != "" || !refusesToken(err) {
			return err
		}
		stale = token.AccessToken
	}
}

// decodeInto returns a function for accountCall that decodes the response into answer.
func decodeInto(answer answer) func(request, []byte) error {
	return func(r request, body []byte) error { return r.decode(body, answer) }
}

// withToken returns r with an access token in its query.
func (r request) withToken(token string) request {
	query := make(map[string][]string, len(r.query)+1)
	for name, values := range r.query {
		query[name] = values
	}
	query["access_token"] = []string{token}
	r.query = query
	return r
}

// refusesToken reports whether err means that WeChat did not accept the account's token.
func refusesToken(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == 40001 || e.Code == 40014 || e.Code == 42001)
}

// accountTokens keeps the account's token. It is safe for concurrent use.
type accountTokens struct {
	fetch func(context.Context) (AccountToken, error)

	mu      sync.Mutex
	current AccountToken
	renewAt time.Time
	pending *tokenFetch // nil if no call fetches a token
}

// tokenFetch is one call of fetch. Its result may be read when done is closed.
type tokenFetch struct {
	done  chan struct{}
	token AccountToken
	err   error
	// abandoned means that there is no result, because the caller has gone.
	abandoned bool
}

// get returns a token that is not stale. The text stale is a token that WeChat refused, or
// "".
func (a *accountTokens) get(ctx context.Context, stale string) (AccountToken, error) {
	for {
		a.mu.Lock()
		pending := a.pending
		if a.validLocked(stale) && (time.Now().Before(a.renewAt) || pending != nil) {
			defer a.mu.Unlock()
			return a.current, nil
		}
		if pending == nil {
			pending = &tokenFetch{done: make(chan struct{}), abandoned: true}
			a.pending = pending
			a.mu.Unlock()
			return a.run(ctx, pending, stale)
		}
		a.mu.Unlock()
		select {
		case <-pending.done:
			if !pending.abandoned {
				return pending.token, pending.err
			}
		case <-ctx.Done():
			return AccountToken{}, request{op: opStableToken}.unreachableError(ctx.Err())
		}
	}
}

// run fetches a token for all callers that wait for f.
func (a *accountTokens) run(ctx context.Context, f *tokenFetch, stale string) (AccountToken, error) {
	// Deferred, because a token source can panic. The waiting callers then try again.
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.pending = nil
		close(f.done)
	}()
	begun := time.Now()
	token, err := a.fetchWithin(ctx, stale)
	a.mu.Lock()
	defer a.mu.Unlock()
	f.abandoned = ctx.Err() != nil && err != nil
	switch {
	case err == nil:
		a.current = token
		// WeChat gives no other token before, so a token that is already due is kept for
		// a moment.
		a.renewAt = token.Expiry.Add(-renewEarly)
		if earliest := begun.Add(renewPause); a.renewAt.Before(earliest) {
			a.renewAt = earliest
		}
	case a.validLocked(stale):
		a.renewAt = time.Now().Add(renewPause)
		token, err = a.current, nil
	}
	f.token, f.err = token, err
	return token, err
}

// fetchWithin is fetch with renewTimeout while the old token is valid.
func (a *accountTokens) fetchWithin(ctx context.Context, stale string) (AccountToken, error) {
	a.mu.Lock()
	valid := a.validLocked(stale)
	a.mu.Unlock()
	if valid {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, renewTimeout)
		defer cancel()
	}
	return a.fetch(ctx)
}

// validLocked reports whether the current token can still be used. The caller holds a.mu.
func (a *accountTokens) validLocked(stale string) bool {
	return time.Now().Before(a.current.Expiry) && a.current.AccessToken != stale
}
