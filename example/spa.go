package main

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed spa
var spaFiles embed.FS

// spaPolicy is the Content-Security-Policy of the single-page application. It allows
// the page's own files, requests to the gate, and a frame. The frame shows WeChat's
// page first and then spa/landed.html. The loopback addresses are for the simulated
// WeChat: leave them out of your application.
const spaPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"frame-src 'self' https://open.weixin.qq.com http://127.0.0.1:* http://localhost:*; " +
	"frame-ancestors 'self'; form-action 'self'; base-uri 'none'"

// newSPA serves a single-page application below /spa/. It logs the user in by the gate's
// element scangate-login; see spa/index.html and spa/login.js.
func newSPA() http.Handler {
	files, err := fs.Sub(spaFiles, "spa")
	if err != nil {
		// Impossible: Sub fails only for an invalid path, and "spa" is valid.
		panic(err)
	}
	server := http.StripPrefix("/spa/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", spaPolicy)
		// WeChat's servers get the frame's requests, but not this page's address.
		w.Header().Set("Referrer-Policy", "same-origin")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		server.ServeHTTP(w, r)
	})
}
