module github.com/scangate/scangate/example/chi

go 1.25.0

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/go-chi/chi/v5 v5.5.0
	github.com/scangate/scangate v0.0.0
)

require (
	github.com/alexedwards/scs/redisstore v0.0.0-20251002162104-209de6e426de // indirect
	github.com/gomodule/redigo v1.9.3 // indirect
	rsc.io/qr v0.2.0 // indirect
)

replace github.com/scangate/scangate => ../../
