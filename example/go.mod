module github.com/scangate/scangate/example

go 1.25

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/chromedp/cdproto v0.159.2
	github.com/chromedp/chromedp v0.23.0
	github.com/gomodule/redigo v1.9.3
	github.com/scangate/scangate v0.0.0
	github.com/scangate/scangate/example/spa v0.0.0
)

require (
	github.com/alexedwards/scs/redisstore v0.0.0-20251002162104-209de6e426de // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	rsc.io/qr v0.2.0 // indirect
)

replace (
	github.com/scangate/scangate => ../
	github.com/scangate/scangate/example/spa => ./spa
)
