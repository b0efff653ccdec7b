package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

const (
	openers    = 32               // browsers that open at one time
	settleTime = 30 * time.Second // until all of them wait
	anyone     = "lin"            // whose phone it is
)

// trial is one number of browsers on one setup.
type trial struct {
	plan
	setup
	wechat    *wechattest.WeChat
	processes []*process
	desktops  []*desktop
	waiting   sync.WaitGroup
	failed    chan error // gets what goes wrong with those that wait
	closing   chan struct{}
}

func (s setup) measure(ctx context.Context, p plan, n int) (findings, error) {
	t := &trial{plan: p, setup: s, failed: make(chan error, n), closing: make(chan struct{})}
	defer t.stop()
	if err := t.start(ctx, n); err != nil {
		return findings{}, err
	}
	before, err := t.settled(ctx, 0)
	if err != nil {
		return findings{}, err
	}
	var f findings
	begun := time.Now()
	if err := t.open(ctx, n); err != nil {
		return f, err
	}
	f.opened = float64(n) / time.Since(begun).Seconds()
	after, err := t.settled(ctx, n)
	if err != nil {
		return f, err
	}
	f.rss = float64(after.RSS-before.RSS) / float64(n) / 1024
	f.live = float64(after.Live-before.Live) / float64(n) / 1024
	if f.cpu, f.redisCPU, err = t.rest(ctx); err != nil {
		return f, err
	}
	if t.bare {
		return f, nil
	}
	f.told, f.nothing, err = t.approveMeanwhile(ctx, min(t.logins, n/2))
	return f, err
}

// approveMeanwhile is approveSome, and how long requests take meanwhile that do
// nothing.
func (t *trial) approveMeanwhile(ctx context.Context, n int) (told, nothing []time.Duration, err error) {
	control, err := openBrowser(ctx, t.processes[0].address, wechattest.UserAgentChrome, addressOf(0))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = control.conn.Close() }()
	done := make(chan struct{})
	var controlling sync.WaitGroup
	controlling.Go(func() { nothing = control.doNothing(done) })
	told, err = t.approveSome(ctx, n)
	close(done)
	controlling.Wait()
	return told, nothing, err
}

// doNothing asks for nothing every 2 ms until done, and returns how long each
// answer took, from when its question was due: one that keeps others waiting counts
// for them, too.
func (b *browser) doNothing(done <-chan struct{}) (took []time.Duration) {
	for due := time.Now(); ; due = due.Add(2 * time.Millisecond) {
		select {
		case <-done:
			return took
		case <-time.After(time.Until(due)):
		}
		if _, _, err := b.get(nothingPath); err != nil {
			return took
		}
		took = append(took, time.Since(due))
	}
}

// start runs WeChat and the processes, and logs one browser in at each, so that
// what comes with the first login is not taken for a browser's.
func (t *trial) start(ctx context.Context, n int) error {
	official := account{AppID: "wx0000000000official", Secret: "official-secret-0123456789abcdef"}
	t.wechat = wechattest.New(nil, wechattest.App{Account: wechat.Account(official)})
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: t.wechat, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	t.waiting.Go(func() { <-t.closing; _ = server.Close() })
	c := serverConfig{WeChat: "http://" + l.Addr().String(), Account: official, MaxWaiting: n + spareFiles}
	if t.redis != nil {
		c.Redis = t.redis.Addr
	}
	c.Bare = t.bare
	for range t.setup.processes {
		p, err := startProcess(ctx, c)
		if err != nil {
			return err
		}
		t.processes = append(t.processes, p)
	}
	if t.bare {
		return nil
	}
	if err := t.open(ctx, len(t.processes)); err != nil {
		return err
	}
	if _, err := t.approveSome(ctx, len(t.processes)); err != nil {
		return err
	}
	t.desktops = nil
	return nil
}

func (t *trial) stop() {
	close(t.closing)
	for _, d := range t.desktops {
		_ = d.conn.Close()
	}
	for _, p := range t.processes {
		p.stop()
	}
	t.waiting.Wait()
}

// stats is what all processes take together.
func (t *trial) stats(ctx context.Context) (stats, error) {
	var sum stats
	for _, p := range t.processes {
		s, err := p.stats(ctx, "?collect=1")
		if err != nil {
			return sum, err
		}
		sum.RSS += s.RSS
		sum.Live += s.Live
		sum.CPU += s.CPU
		sum.Waiting += s.Waiting
	}
	return sum, nil
}

// open opens n browsers, some at a time, and has each ask for its state.
func (t *trial) open(ctx context.Context, n int) error {
	from := len(t.desktops)
	t.desktops = slices.Grow(t.desktops, n)[:from+n]
	opened := t.desktops[from:]
	errs := make([]error, openers)
	var all sync.WaitGroup
	for opener := range openers {
		all.Go(func() {
			for i := opener; i < n && errs[opener] == nil; i += openers {
				opened[i], errs[opener] = t.openOne(ctx, from+i)
			}
		})
	}
	all.Wait()
	t.desktops = slices.DeleteFunc(t.desktops, func(d *desktop) bool { return d == nil })
	return errors.Join(errs...)
}

func (t *trial) openOne(ctx context.Context, i int) (*desktop, error) {
	d, err := openDesktop(ctx, t.processes, i)
	if err != nil {
		return nil, err
	}
	if err := d.send("GET", d.statePath("waiting"), "", ""); err != nil {
		_ = d.conn.Close()
		return nil, err
	}
	t.waiting.Go(func() {
		if err := d.wait(); err != nil {
			select {
			case <-t.closing:
			default:
				t.failed <- err
			}
		}
	})
	return d, nil
}

// settled returns what the processes take when n requests wait, and have for a
// moment.
func (t *trial) settled(ctx context.Context, n int) (stats, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for tries := 0; ; tries++ {
		s, err := t.stats(ctx)
		if err != nil || tries > 1 && s.Waiting == int64(n) {
			return s, err
		}
		if err := t.sleep(ctx, 200*time.Millisecond); err != nil {
			return s, fmt.Errorf("%d requests wait, and not %d: %w", s.Waiting, n, err)
		}
	}
}

// sleep ends early with an error if a browser's waiting does.
func (t *trial) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-t.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rest watches the processes, and Redis, while nothing happens but that browsers
// ask again.
func (t *trial) rest(ctx context.Context) (cpu, redisCPU float64, err error) {
	before, redisBefore, err := t.used(ctx)
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	if err := t.sleep(ctx, t.idle); err != nil {
		return 0, 0, err
	}
	after, redisAfter, err := t.used(ctx)
	took := float64(time.Since(begun))
	return float64(after-before) / took, float64(redisAfter-redisBefore) / took, err
}

// used is the CPU time so far.
func (t *trial) used(ctx context.Context) (processes, redis time.Duration, err error) {
	for _, p := range t.processes {
		s, err := p.stats(ctx, "")
		if err != nil {
			return 0, 0, err
		}
		processes += s.CPU
	}
	if t.redis == nil {
		return processes, 0, nil
	}
	s, err := t.redis.Stats(ctx)
	return processes, s.CPU, err
}

// approveSome logs n browsers in, spread over all, and returns how long each took
// to learn of it, from when the phone sends its yes. The phone is another process's
// than the browser wherever there are two.
func (t *trial) approveSome(ctx context.Context, n int) ([]time.Duration, error) {
	phones := make([]*phone, n)
	defer func() {
		for _, p := range phones {
			if p != nil {
				_ = p.conn.Close()
			}
		}
	}()
	for i := range phones {
		var err error
		if phones[i], err = t.scan(ctx, i, t.desktops[i*len(t.desktops)/n]); err != nil {
			return nil, err
		}
	}
	delays, errs := make([]time.Duration, n), make([]error, n)
	var all sync.WaitGroup
	for i, p := range phones {
		all.Go(func() { delays[i], errs[i] = p.approve(ctx) })
		if err := t.sleep(ctx, t.pause); err != nil {
			return nil, err
		}
	}
	all.Wait()
	return delays, errors.Join(errs...)
}

// phone is one that is about to say yes.
type phone struct {
	*browser
	desktop *desktop
	form    string
}

// scan brings a phone to the page that asks.
func (t *trial) scan(ctx context.Context, i int, d *desktop) (*phone, error) {
	at := (d.process + 1) % len(t.processes)
	b, err := openBrowser(ctx, t.processes[at].address, wechattest.UserAgentPhone, addressOf(1<<20+i))
	if err != nil {
		return nil, err
	}
	p := &phone{browser: b, desktop: d}
	scanned, _, err := p.get("/wechat/scan/" + d.id)
	if err != nil {
		return p, err
	}
	callback, err := t.wechat.Approve(scanned.Header.Get("Location"), anyone)
	if err != nil {
		return p, err
	}
	if _, _, err := p.get(strings.TrimPrefix(callback, publicURL)); err != nil {
		return p, err
	}
	_, page, err := p.get("/wechat/confirm/" + d.id)
	if err != nil {
		return p, err
	}
	_, rest, _ := strings.Cut(page, `name="token" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	p.form = "answer=approve&token=" + token
	return p, nil
}

// approve says yes, and finishes the login in the browser.
func (p *phone) approve(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	if _, _, err := p.do("POST", "/wechat/confirm/"+p.desktop.id, "application/x-www-form-urlencoded", p.form); err != nil {
		return 0, err
	}
	select {
	case at := <-p.desktop.told:
		return at.Sub(begun), p.desktop.finish()
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(answerTime):
		return 0, errors.New("a browser was never told that its login is approved")
	}
}
