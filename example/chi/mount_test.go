package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/scangate/scangate"
)

// mount is the code that docs/guide.md quotes for chi. It only has to compile.
func mount(gate *scangate.Gate, account http.HandlerFunc) {
	r := chi.NewRouter()
	r.Handle("/wechat/*", gate)
	r.With(gate.RequireWeChat).Get("/account", account)
}

var _ = mount
