module github.com/scangate/scangate/example/spa

go 1.25

require github.com/scangate/scangate v0.0.0

require (
	github.com/alexedwards/scs/redisstore v0.0.0-20251002162104-209de6e426de // indirect
	github.com/alexedwards/scs/v2 v2.9.0 // indirect
	github.com/gomodule/redigo v1.9.3 // indirect
	rsc.io/qr v0.2.0 // indirect
)

replace github.com/scangate/scangate => ../../
