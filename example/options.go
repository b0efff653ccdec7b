package main

import (
	"cmp"
	"errors"
	"flag"
	"io"
	"os"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// options are the command line.
type options struct {
	addr         string
	publicURL    string
	official     wechat.Account
	website      wechat.Account
	endpoint     wechat.Endpoint
	fetchProfile bool
	registration string
	requirePhone bool
	db           string
	redis        *redis.Pool // nil without -redis
	insecureHTTP bool
	behindProxy  bool
}

// parseOptions reads the arguments, and then the environment. Help goes to out.
func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("example", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "the `address` to listen on; port 0 picks a free one")
	f.StringVar(&o.publicURL, "public-url", "", "the `URL` by which browsers and phones reach this program (default http://<addr>)")
	f.StringVar(&o.official.AppID, "appid", "", "`AppID` of a service account or test account; without any AppID, WeChat is simulated")
	f.StringVar(&o.official.Secret, "secret", "", "its `AppSecret`; better in the environment, as WECHAT_SECRET, where other users can't read it")
	f.StringVar(&o.website.AppID, "website-appid", "", "`AppID` of a website application of the Open Platform")
	f.StringVar(&o.website.Secret, "website-secret", "", "its `AppSecret`; better in the environment, as WECHAT_WEBSITE_SECRET")
	f.StringVar(&o.endpoint.Open, "wechat-open-url", "", "`URL` of WeChat's pages (default WeChat's own)")
	f.StringVar(&o.endpoint.API, "wechat-api-url", "", "`URL` of WeChat's API (default WeChat's own)")
	f.BoolVar(&o.fetchProfile, "fetch-profile", true, "ask new people for their nickname and picture")
	f.StringVar(&o.registration, "registration", string(scangate.RegisterOpen), "`who` may become a user: open (everybody), phone (people whose number is known) or closed (nobody new)")
	f.BoolVar(&o.requirePhone, "require-phone", false, "ask everybody for a phone number; the codes that prove it appear in the log")
	f.StringVar(&o.db, "db", "", "`where` the users are: a file for SQLite, mysql://user:password@host/name, postgres://user:password@host/name, or memory; with a password better in the environment, as EXAMPLE_DB (default example.db, but with -redis in Redis)")
	f.Func("redis", "`address` of a Redis server, such as 127.0.0.1:6379, to keep logins and sessions in: several processes are one then (default in memory)", func(address string) error {
		o.redis = newRedisPool(address)
		return nil
	})
	f.BoolVar(&o.insecureHTTP, "insecure-http", false, "accept a -public-url of plain http that isn't this machine: for a test account and a phone in the same LAN, never in production")
	f.BoolVar(&o.behindProxy, "behind-proxy", false, "take the client's address from X-Real-IP, which the proxy in front has to set: see nginx/nginx.conf")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	if f.NArg() > 0 {
		return options{}, errors.New("unexpected argument " + f.Arg(0))
	}
	o.fillFromEnvironment()
	if o.db == "" && o.redis == nil {
		o.db = "example.db"
	}
	if o.simulated() && o.endpoint != (wechat.Endpoint{}) {
		return options{}, errors.New("-wechat-open-url and -wechat-api-url need an -appid or a -website-appid")
	}
	return o, nil
}

// fillFromEnvironment fills in what holds a secret, unless a flag has: other users
// of the machine can read a command line.
func (o *options) fillFromEnvironment() {
	if o.official.AppID != "" {
		o.official.Secret = cmp.Or(o.official.Secret, os.Getenv("WECHAT_SECRET"))
	}
	if o.website.AppID != "" {
		o.website.Secret = cmp.Or(o.website.Secret, os.Getenv("WECHAT_WEBSITE_SECRET"))
	}
	o.db = cmp.Or(o.db, os.Getenv("EXAMPLE_DB"))
}

// simulated reports whether there is no account to go to WeChat with.
func (o *options) simulated() bool {
	return o.official == wechat.Account{} && o.website == wechat.Account{}
}
