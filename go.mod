module github.com/scangate/scangate

go 1.25

require (
	github.com/alexedwards/scs/redisstore v0.0.0-20251002162104-209de6e426de
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/alicebob/miniredis/v2 v2.40.0
	github.com/gomodule/redigo v1.9.3
	go.uber.org/goleak v1.3.0
	rsc.io/qr v0.2.0
)

require github.com/yuin/gopher-lua v1.1.1 // indirect
