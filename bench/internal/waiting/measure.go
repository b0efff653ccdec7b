package waiting

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
	openers    = 32               // browsers that open at a time
	settleTime = 30 * time.Second // limit until all browsers wait
	personID   = "lin"            // the phones' owner
)

// trial is a measurement of one number of browsers on one setup.
type trial struct {
	Plan
	setup
	wechat    *wechattest.WeChat
	processes []*process
	desktops  []*desktop
	waiting   sync.WaitGroup // goroutines that end with the trial
	failed    chan error     // receives the errors of desktops
	closing   chan struct{}  // closed when the trial ends
}

// measure runs a trial with n browsers.
func (s setup) measure(ctx context.Context, p Plan, n int) (Finding, error) {
	t := &trial{Plan: p, setup: s, failed: make(chan error, n), closing: make(chan struct{})}
	defer t.stop()
	if err := t.start(ctx, n); err != nil {
		return Finding{}, err
	}
	before, err := t.awaitWaiting(ctx, 0)
	if err != nil {
		return Finding{}, err
	}
	// Costs of a browser: the difference between n waiting browsers and none.
	f := Finding{Name: s.name, Browsers: n}
	if err := t.open(ctx, n); err != nil {
		return f, err
	}
	after, err := t.awaitWaiting(ctx, n)
	if err != nil {
		return f, err
	}
	f.RSS = float64(after.RSS-before.RSS) / float64(n)
	f.Live = float64(after.Live-before.Live) / float64(n)
	if f.CPU, f.RedisCPU, err = t.measureIdle(ctx); err != nil {
		return f, err
	}
	if !t.bare { // which has no logins to approve
		f.Notified, err = t.approveSome(ctx, min(t.Logins, n/2))
	}
	slices.Sort(f.Notified)
	return f, err
}

// officialAccount returns the simulated account.
func officialAccount() account {
	return account{AppID: "wx00000000official", Secret: "0ff1c1a10ff1c1a10ff1c1a10ff1c1a1"}
}

// start starts WeChat and the processes, and logs in one browser at each process.
func (t *trial) start(ctx context.Context, n int) error {
	if err := t.startProcesses(ctx, n); err != nil || t.bare {
		return err
	}
	// Warm up: the first login allocates memory that does not belong to a browser.
	if err := t.open(ctx, len(t.processes)); err != nil {
		return err
	}
	if _, err := t.approveSome(ctx, len(t.processes)); err != nil {
		return err
	}
	t.desktops = nil // these logins are finished, and their browsers are not counted
	return nil
}

// startProcesses starts WeChat and the processes, for n browsers.
func (t *trial) startProcesses(ctx context.Context, n int) error {
	t.wechat = wechattest.New(nil, wechattest.App{Account: wechat.Account(officialAccount())})
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: t.wechat, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	t.waiting.Go(func() { <-t.closing; _ = server.Close() })
	c := serverConfig{
		WeChat: "http://" + l.Addr().String(), Account: officialAccount(), Bare: t.bare, Protocol: t.protocol,
		MaxWaiting: n + spareFiles, // the browsers of one trial must not reach the limit
	}
	if t.redis != nil {
		c.Redis = t.redis.Addr
	}
	for range t.setup.processes {
		p, err := startProcess(ctx, c)
		if err != nil {
			return err
		}
		t.processes = append(t.processes, p)
	}
	return nil
}

// stop ends the browsers, the processes and WeChat.
func (t *trial) stop() {
	close(t.closing) // first: desktops then ignore the errors of closed connections
	for _, d := range t.desktops {
		_ = d.conn.Close()
	}
	for _, p := range t.processes {
		p.stop()
	}
	t.waiting.Wait()
}

// stats returns the sums over all processes.
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

// open opens n desktops, which then wait. It opens some of them at a time.
func (t *trial) open(ctx context.Context, n int) error {
	from := len(t.desktops)
	t.desktops = slices.Grow(t.desktops, n)[:from+n]
	opened := t.desktops[from:]
	errs := make([]error, openers) // each opener stops at its first error
	var all sync.WaitGroup
	for opener := range openers {
		all.Go(func() {
			for i := opener; i < n && errs[opener] == nil; i += openers {
				opened[i], errs[opener] = t.openOne(ctx, from+i)
			}
		})
	}
	all.Wait()
	// stop closes the connections of all desktops, also after an error.
	t.desktops = slices.DeleteFunc(t.desktops, func(d *desktop) bool { return d == nil })
	return errors.Join(errs...)
}

// openOne opens desktop i and lets it wait.
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
			// At the end, stop closes the connections of waiting desktops.
			select {
			case <-t.closing:
			default:
				t.failed <- err
			}
		}
	})
	return d, nil
}

// awaitWaiting returns the processes' statistics when n requests wait.
func (t *trial) awaitWaiting(ctx context.Context, n int) (stats, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for tries := 0; ; tries++ {
		s, err := t.stats(ctx)
		// Two tries at least, so that garbage and connections of the start are gone.
		if err != nil || tries > 1 && s.Waiting == int64(n) {
			return s, err
		}
		if err := t.sleep(ctx, 200*time.Millisecond); err != nil {
			return s, fmt.Errorf("waiting requests = %d, want %d: %w", s.Waiting, n, err)
		}
	}
}

// sleep waits for d. It returns early with an error if a desktop fails or ctx is done.
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

// measureIdle returns the CPU use of the processes and of Redis, in cores, while
// browsers only poll again.
func (t *trial) measureIdle(ctx context.Context) (cpu, redisCPU float64, err error) {
	before, redisBefore, err := t.cpuTime(ctx)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := t.sleep(ctx, t.Idle); err != nil {
		return 0, 0, err
	}
	after, redisAfter, err := t.cpuTime(ctx)
	took := float64(time.Since(start))
	return float64(after-before) / took, float64(redisAfter-redisBefore) / took, err
}

// cpuTime returns the CPU time of the processes and of Redis since they started.
func (t *trial) cpuTime(ctx context.Context) (processes, redis time.Duration, err error) {
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

// approveSome approves the logins of n desktops. It returns the time from each phone's
// approval until its desktop has read it.
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
		// Spread over all desktops, and so over all processes.
		var err error
		if phones[i], err = t.scan(ctx, i, t.desktops[i*len(t.desktops)/n]); err != nil {
			return nil, err
		}
	}
	delays, errs := make([]time.Duration, n), make([]error, n)
	var all sync.WaitGroup
	for i, p := range phones {
		all.Go(func() { delays[i], errs[i] = p.approve(ctx) })
		if err := t.sleep(ctx, t.Pause); err != nil {
			return nil, err
		}
	}
	all.Wait()
	return delays, errors.Join(errs...)
}

// phone is a phone that shows the confirm page of a desktop's login.
type phone struct {
	*browser
	desktop *desktop
	form    string // approves the login
}

// scan opens phone i, scans the desktop's code, and opens the confirm page.
func (t *trial) scan(ctx context.Context, i int, d *desktop) (*phone, error) {
	// Another process than the desktop's, if there are two: the approval then goes
	// through a message.
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
	callback, err := t.wechat.Approve(scanned.Header.Get("Location"), personID)
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

// approve approves the login and finishes it in the desktop. It returns the time until
// the desktop was notified.
func (p *phone) approve(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	if _, _, err := p.do("POST", "/wechat/confirm/"+p.desktop.id, "application/x-www-form-urlencoded", p.form); err != nil {
		return 0, err
	}
	select {
	case at := <-p.desktop.notified:
		return at.Sub(start), p.desktop.finish()
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(answerTime):
		return 0, fmt.Errorf("the desktop did not read the approval within %v", answerTime)
	}
}
