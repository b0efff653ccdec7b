package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// options are the settings from the command line and the environment.
type options struct {
	addr         string          // to listen on
	publicURL    string          // empty: http:// and the address that the program listens on
	official     wechat.Account  // zero without -appid
	website      wechat.Account  // zero without -website-appid
	mini         wechat.Account  // zero without -mini-appid
	endpoint     wechat.Endpoint // zero: WeChat's own hosts
	fetchProfile bool            // ask new users for nickname and picture
	registration string          // a scangate.RegistrationMode; scangate.New checks it
	scan         string          // a scangate.ScanMode; scangate.New checks it
	push         scangate.Push   // zero without -push-token, -push-key and -account-qr
	requirePhone bool
	redis        *redis.Pool // nil without -redis
	insecureHTTP bool        // accept plain http on another host
	behindProxy  bool        // trust the X-Real-IP header
	verbose      bool        // print more than the address to open
}

// parseOptions reads the arguments and then the environment. The flag package
// prints its help and its complaints to out.
func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("example", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "the `address` to listen on; with port 0 the system chooses a free port")
	f.StringVar(&o.publicURL, "public-url", "", "the `URL` at which browsers and phones reach this program (default http://<addr>)")
	f.StringVar(&o.official.AppID, "appid", "", "the `AppID` of a service account or test account; without any AppID the program simulates WeChat")
	f.StringVar(&o.official.Secret, "secret", "", "the `AppSecret` of -appid; safer in the environment variable WECHAT_SECRET, because other users of this machine can read the command line")
	f.StringVar(&o.website.AppID, "website-appid", "", "the `AppID` of a website application of the Open Platform")
	f.StringVar(&o.website.Secret, "website-secret", "", "the `AppSecret` of -website-appid; safer in the environment variable WECHAT_WEBSITE_SECRET")
	f.StringVar(&o.mini.AppID, "mini-appid", "", "the `AppID` of a mini program, such as the one in the folder miniprogram")
	f.StringVar(&o.mini.Secret, "mini-secret", "", "the `AppSecret` of -mini-appid; safer in the environment variable WECHAT_MINI_SECRET")
	f.StringVar(&o.endpoint.Open, "wechat-open-url", "", "the `URL` of WeChat's pages (default: WeChat's own)")
	f.StringVar(&o.endpoint.API, "wechat-api-url", "", "the `URL` of WeChat's API (default: WeChat's own)")
	f.BoolVar(&o.fetchProfile, "fetch-profile", true, "ask new users to share their nickname and picture")
	f.StringVar(&o.registration, "registration", string(scangate.RegisterOpen), "the `policy` for new users: open (all may register), phone (only people whose phone number is in the table of users) or closed (no new users)")
	f.StringVar(&o.scan, "scan", "", "the `way` that the login page shows: web (scan the page's own code), follow (scan the account's code, follow the account and confirm in the chat), message (send eight digits to the account and confirm in the chat), mini (scan the page's own code, which opens the mini program) or mini-code (scan a code of WeChat's for the mini program); follow and message need -push-token and -push-key with an -appid, mini and mini-code need -mini-appid (default web, message with -push-token and without -secret, or mini with -mini-appid alone)")
	f.StringVar(&o.push.Token, "push-token", "", "the `token` of the account's messages, which WeChat posts to <public-url>/wechat/push; safer in the environment variable WECHAT_PUSH_TOKEN")
	f.StringVar(&o.push.EncodingAESKey, "push-key", "", "the `EncodingAESKey` of the account's messages; safer in the environment variable WECHAT_PUSH_KEY")
	f.StringVar(&o.push.AccountQR, "account-qr", "", "the `text` in the account's own QR code, such as http://weixin.qq.com/r/...; -scan message requires it")
	f.BoolVar(&o.requirePhone, "require-phone", false, "require a phone number from every user; the program writes the verification codes to its log")
	f.Func("redis", "the `address` of a Redis server, such as 127.0.0.1:6379, for logins, sessions and users; several processes can share it (default: keep them in memory)", func(address string) error {
		o.redis = newRedisPool(address)
		return nil
	})
	f.BoolVar(&o.insecureHTTP, "insecure-http", false, "accept a plain http -public-url on another host than this machine; for trying a test account with a phone in the same network, never in production")
	f.BoolVar(&o.behindProxy, "behind-proxy", false, "take the client's address from the X-Real-IP header, which the reverse proxy has to set; see nginx/nginx.conf")
	f.BoolVar(&o.verbose, "verbose", false, "print the addresses of the listener and of the simulated WeChat too")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	if f.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	o.fillFromEnvironment()
	return o, o.check()
}

// check returns an error if the simulator would overwrite options.
func (o *options) check() error {
	switch {
	case !o.simulated():
		return nil
	case o.endpoint != wechat.Endpoint{}:
		return errors.New("-wechat-open-url and -wechat-api-url require -appid, -website-appid or -mini-appid")
	case strings.HasPrefix(o.scan, "mini"):
		return errors.New("-scan mini and -scan mini-code require -mini-appid; the simulator runs no mini program")
	case o.push.Token != "" || o.push.EncodingAESKey != "" || o.push.AccountQR != "":
		return errors.New("-push-token, -push-key and -account-qr require -appid; the simulator has its own")
	}
	return nil
}

// fillFromEnvironment sets the options that hold a secret from the environment,
// unless a flag has set them.
func (o *options) fillFromEnvironment() {
	// A secret without an AppID is ignored. Otherwise a variable left in the
	// environment would turn the simulator off.
	if o.official.AppID != "" {
		o.official.Secret = cmp.Or(o.official.Secret, os.Getenv("WECHAT_SECRET"))
		o.push.Token = cmp.Or(o.push.Token, os.Getenv("WECHAT_PUSH_TOKEN"))
		o.push.EncodingAESKey = cmp.Or(o.push.EncodingAESKey, os.Getenv("WECHAT_PUSH_KEY"))
	}
	if o.website.AppID != "" {
		o.website.Secret = cmp.Or(o.website.Secret, os.Getenv("WECHAT_WEBSITE_SECRET"))
	}
	if o.mini.AppID != "" {
		o.mini.Secret = cmp.Or(o.mini.Secret, os.Getenv("WECHAT_MINI_SECRET"))
	}
}

// simulated reports whether the program has to simulate WeChat, because no account
// is configured.
func (o *options) simulated() bool {
	return o.official == wechat.Account{} && o.website == wechat.Account{} && o.mini == wechat.Account{}
}
