package main

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed spa
var spaFiles embed.FS

// spaPolicy allows the page its own files, the gate's answers, and a frame with
// WeChat's page, which comes back to a page of ours. The loopback addresses are
// the simulated WeChat's: an application of yours leaves them out.
const spaPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"frame-src 'self' https://open.weixin.qq.com http://127.0.0.1:* http://localhost:*; " +
	"frame-ancestors 'self'; form-action 'self'; base-uri 'none'"

// newSPA serves, below /spa/, an application of one page, whose script logs
// people in by the gate's JSON routes; see spa/login.js.
func newSPA() http.Handler {
	files, err := fs.Sub(spaFiles, "spa")
	if err != nil {
		panic(err) // the name is right, or no build gets past its tests
	}
	server := http.StripPrefix("/spa/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", spaPolicy)
		w.Header().Set("Referrer-Policy", "same-origin")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		server.ServeHTTP(w, r)
	})
}
