package wechattest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/wechat"
)

const (
	// pushTimeout is the time within which WeChat expects the answer to a push.
	pushTimeout = 5 * time.Second
	// maxPushes is the number of deliveries of a push that gets no answer.
	maxPushes = 4
)

// PushMode is the mode of an account's pushes ("消息加解密方式").
type PushMode int

const (
	// PushEncrypted encrypts everything ("安全模式").
	PushEncrypted PushMode = iota
	// PushCompatible sends the message twice: plain, and encrypted in the field Encrypt
	// ("兼容模式"). It accepts plain and encrypted replies.
	PushCompatible
	// PushPlain encrypts nothing ("明文模式"). The signature does not cover the message.
	PushPlain
)

// PushServer is an account's server for messages and events ("服务器配置").
type PushServer struct {
	// URL receives the pushes.
	URL string
	// Token and EncodingAESKey are the account's. See [wechat.CipherConfig].
	Token, EncodingAESKey string
	// Mode is the mode. The zero value is the encrypted one.
	Mode PushMode
	// Format is the data format.
	Format wechat.Format
	// Transport sends the pushes. If it is nil, the simulator uses [http.DefaultTransport].
	Transport http.RoundTripper
	// Delay is the time between an event and its first delivery.
	Delay time.Duration
	// Deliveries is how often a push without an answer is delivered, 5 seconds apart. 0
	// means 4. WeChat's document states three repetitions; some users report two.
	Deliveries int
}

// Pusher delivers an account's messages and events. It is safe for concurrent use.
type Pusher struct {
	wechat *WeChat
	app    App
	server PushServer
	client *http.Client
	key    []byte // nil in the plain mode
}

// SetPush makes the server the one that receives the app's pushes, and returns the pusher.
// A pusher of an earlier call still delivers to its own server, so that a test can deliver
// one message to two processes. SetPush panics if the app or the EncodingAESKey is invalid.
//
// A [Phone] pushes by itself when its person follows, scans or types.
func (w *WeChat) SetPush(appID string, server PushServer) *Pusher {
	app, known := w.apps[appID]
	if !known {
		panic(fmt.Sprintf("wechattest: unknown appid %q", appID))
	}
	p := &Pusher{wechat: w, app: app, server: server, client: &http.Client{
		Transport: server.Transport,
		// WeChat does not follow redirects of a push.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if server.Mode != PushPlain {
		key, err := aesKey(server.EncodingAESKey)
		if err != nil {
			panic("wechattest: " + err.Error())
		}
		p.key = key
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accounts[appID].pusher = p
	return p
}

// Delivery is the outcome of a push.
type Delivery struct {
	// Deliveries is the number of requests.
	Deliveries int
	// Reply is the reply in the chat. Its MsgType is empty if there is none.
	Reply wechat.Message
	// Err is the reason why the chat shows 「该公众号提供的服务出现故障，请稍后再试」, or nil.
	Err error
}

// CheckURL checks the push URL, as WeChat does when the account's settings are stored: a
// GET with a random echostr.
func (p *Pusher) CheckURL(ctx context.Context) error {
	echo := randomDigits()
	query := p.signedQuery("", "")
	query.Set("echostr", echo)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address(query), nil)
	if err != nil {
		return prefixed(err)
	}
	answer, err := p.send(req)
	switch {
	case err != nil:
		return prefixed(err)
	case answer.status != http.StatusOK || string(answer.body) != echo:
		return fmt.Errorf("wechattest: the push URL answers %d and %q, want 200 and the echostr alone", answer.status, shorten(answer.body))
	}
	return nil
}

// Push delivers a message. If there is no answer within 5 seconds, or the connection ends
// without one, it delivers the message again, with a new signature: after 5, 10 and 15
// seconds. Zero fields of m are set as [Pusher.Complete] does.
//
// On a strict simulator, Push fails the test for an answer with status 200 that is neither
// a reply nor "success" nor empty.
func (p *Pusher) Push(ctx context.Context, m wechat.Message) Delivery {
	m = p.Complete(m)
	sleep(ctx, p.server.Delay)
	deliveries := p.server.Deliveries
	if deliveries == 0 {
		deliveries = maxPushes
	}
	start := time.Now()
	var last Delivery
	for n := range deliveries {
		sleep(ctx, time.Until(start.Add(time.Duration(n)*pushTimeout)))
		if ctx.Err() != nil {
			return Delivery{Deliveries: n, Err: prefixed(ctx.Err())}
		}
		last = p.Deliver(ctx, m)
		last.Deliveries = n + 1
		var unanswered *unansweredError
		if !errors.As(last.Err, &unanswered) {
			break
		}
	}
	return last
}

// unansweredError means that a delivery got no answer.
type unansweredError struct{ cause error }

func (e *unansweredError) Error() string { return "no answer: " + e.cause.Error() }
func (e *unansweredError) Unwrap() error { return e.cause }

// Deliver delivers a message once.
func (p *Pusher) Deliver(ctx context.Context, m wechat.Message) Delivery {
	m = p.Complete(m)
	req, err := p.Request(ctx, p.Document(m))
	if err != nil {
		return Delivery{Err: err}
	}
	return p.Do(req, m)
}

// Do sends a request of [Pusher.Request], which a test may have changed, and reads the
// answer to the message.
func (p *Pusher) Do(req *http.Request, m wechat.Message) Delivery {
	ctx, cancel := context.WithTimeout(req.Context(), pushTimeout)
	defer cancel()
	answer, err := p.send(req.WithContext(ctx))
	if err != nil {
		return Delivery{Deliveries: 1, Err: fmt.Errorf("wechattest: push: %w", &unansweredError{err})}
	}
	if answer.status != http.StatusOK {
		return Delivery{Deliveries: 1, Err: fmt.Errorf("wechattest: push: status %d", answer.status)}
	}
	reply, err := p.readReply(answer.body, m)
	if err != nil {
		p.wechat.misuse("push: the answer is not a reply: %v", err)
		return Delivery{Deliveries: 1, Err: fmt.Errorf("wechattest: push: the answer is not a reply: %w", err)}
	}
	return Delivery{Deliveries: 1, Reply: reply}
}

// pushAnswer is the answer to a request.
type pushAnswer struct {
	status int
	body   []byte
}

// send sends a request and reads the whole answer.
func (p *Pusher) send(req *http.Request) (pushAnswer, error) {
	resp, err := p.client.Do(req) //nolint:gosec // the address is the test's own
	if err != nil {
		// The URL contains the signature.
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return pushAnswer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return pushAnswer{resp.StatusCode, body}, err
}

// Request returns a signed request with a message's document in the body, in the mode of
// the server. A test can change the request, or pass any text as the document.
func (p *Pusher) Request(ctx context.Context, document []byte) (*http.Request, error) {
	body, encrypted := document, ""
	if p.key != nil {
		encrypted = encrypt(p.key, document, p.app.AppID)
		body = p.envelope(document, encrypted)
	}
	query := p.signedQuery(openIDIn(document), encrypted)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address(query), bytes.NewReader(body)) //nolint:gosec // the address is the test's own
	if err != nil {
		return nil, prefixed(err)
	}
	req.Header.Set("Content-Type", "text/xml")
	if p.server.Format == wechat.FormatJSON {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// signedQuery returns the parameters of a push.
func (p *Pusher) signedQuery(openID, encrypted string) url.Values {
	// Ten digits, also in a bubble of testing/synctest, which begins in 2000.
	timestamp, nonce := fmt.Sprintf("%010d", time.Now().Unix()), randomDigits()
	query := url.Values{
		"signature": {sign(p.server.Token, timestamp, nonce)},
		"timestamp": {timestamp}, "nonce": {nonce},
	}
	if openID != "" {
		query.Set("openid", openID)
	}
	if encrypted != "" {
		query.Set("encrypt_type", "aes")
		query.Set("msg_signature", sign(p.server.Token, timestamp, nonce, encrypted))
	}
	return query
}

// address returns the push URL with further parameters.
func (p *Pusher) address(query url.Values) string {
	separator := "?"
	if strings.Contains(p.server.URL, "?") {
		separator = "&"
	}
	return p.server.URL + separator + query.Encode()
}

// randomDigits returns 1 to 10 random digits.
func randomDigits() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b[:])), 10)
}

// shorten returns the first 100 bytes of an answer.
func shorten(body []byte) string { return string(body[:min(len(body), 100)]) }
