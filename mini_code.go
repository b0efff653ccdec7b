package scangate

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/internal/ttlmap"
	"github.com/scangate/scangate/wechat"
)

// The bounds of WeChat's codes for the mini program.
const (
	miniPage      = "pages/login/login" // that a code opens
	pictureTime   = 5 * time.Second     // for the call to WeChat
	maxPicture    = 256 << 10           // bytes of one picture; WeChat's have about 100 KiB
	maxPictures   = 256                 // that one process keeps
	pictureLimit  = 20                  // pictures of one address in a minute
	pictureBudget = 4000                // pictures of the mini program in a minute; WeChat allows 5,000
)

// pictures fetches WeChat's codes for the mini program, one for each login, and keeps them
// in memory. A process has at most 64 MiB of them. They are too large for the state store.
type pictures struct {
	mode    ScanMode
	client  *wechat.Client // nil without a mini program
	logins  *logins
	state   state.Store
	mu      sync.Mutex
	fetched *ttlmap.Map[*fetchedPicture] // by the login's ID
}

// fetchedPicture is a picture that one request fetches, and that others may wait for.
type fetchedPicture struct {
	done    chan struct{} // closed when the rest is set
	picture wechat.Picture
	err     error
}

// newPictures returns the pictures of a gate. The clients in logins are made already.
func newPictures(c *Config, logins *logins, s state.Store) *pictures {
	return &pictures{
		mode: c.scanMode(), client: logins.accounts.mini, logins: logins, state: s,
		fetched: ttlmap.New[*fetchedPicture](maxPictures, nil),
	}
}

// shown reports whether the login page shows a code of WeChat's for the login.
func (p *pictures) shown(l *login.Login) bool {
	return p.mode == ScanMiniProgramCode && l.Way() == login.WayMini
}

// get returns the login's code. The first request fetches it, within the limits of the
// mini program's calls. After a failure, the next request tries again.
func (p *pictures) get(r *http.Request, l *login.Login) (wechat.Picture, error) {
	f, found := p.find(l)
	if !found {
		p.fetch(r, l, f)
	}
	select {
	case <-f.done:
		return f.picture, f.err
	case <-r.Context().Done():
		return wechat.Picture{}, r.Context().Err()
	}
}

// find returns the entry of the login's picture. It reports false if the entry is new: then
// the caller has to fetch the picture.
func (p *pictures) find(l *login.Login) (*fetchedPicture, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.fetched.Get(l.ID()); ok {
		return e.Value, true
	}
	f := &fetchedPicture{done: make(chan struct{}), err: errWeChat}
	for p.fetched.Full() {
		p.fetched.Evict()
	}
	_ = p.fetched.Put(l.ID(), f, l.Expires()) // there is room
	return f, false
}

// fetch sets the login's picture, or the error.
func (p *pictures) fetch(r *http.Request, l *login.Login, f *fetchedPicture) {
	defer func() {
		if f.err != nil {
			p.forget(l, f)
		}
		close(f.done)
	}()
	if f.err = p.reserve(r); f.err != nil {
		return
	}
	// Detached, because other requests may wait for the picture.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), pictureTime)
	defer cancel()
	picture, err := p.client.MiniProgramCode(ctx, wechat.MiniProgramCode{Scene: l.ID(), Page: miniPage})
	switch {
	case err != nil:
		f.err = fmt.Errorf("fetching a mini program's code: %w: %w", errWeChat, err)
	case len(picture.Data) > maxPicture:
		f.err = fmt.Errorf("fetching a mini program's code: %w: the picture has %d bytes", errWeChat, len(picture.Data))
	default:
		f.picture = picture
	}
}

// reserve counts a call to WeChat.
func (p *pictures) reserve(r *http.Request) error {
	if err := p.logins.limitTo(r, "picture", pictureLimit); err != nil {
		return err
	}
	n, err := p.state.Add(r.Context(), "pictures", time.Minute)
	if err == nil && n > pictureBudget {
		return errTooMany
	}
	return wrap("counting pictures", err)
}

// forget drops a picture that could not be fetched.
func (p *pictures) forget(l *login.Login, f *fetchedPicture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.fetched.Get(l.ID()); ok && e.Value == f {
		p.fetched.Remove(l.ID())
	}
}
