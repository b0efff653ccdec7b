// Package front has front ends that log users in by the gate's element scangate-login: a
// single-page application, and pages with one tag, without a framework, with React and with
// Vue.
package front

import (
	"embed"
	"net/http"
)

//go:embed spa tags
var files embed.FS

// spaPolicy is the Content-Security-Policy of the single-page application. It allows
// the page's own files, requests to the gate, and a frame. The frame shows WeChat's
// page first and then spa/landed.html. The loopback addresses are for the simulated
// WeChat: leave them out of your application.
const spaPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"frame-src 'self' https://open.weixin.qq.com http://127.0.0.1:* http://localhost:*; " +
	"frame-ancestors 'self'; form-action 'self'; base-uri 'none'"

// tagPolicy is the policy of the pages with one tag. A strict policy is enough for the
// element.
const tagPolicy = "default-src 'self'"

// New serves the single-page application below /spa/, and the pages with one tag below
// /tags/: plain.html, react.html and vue.html. The folder npm has the files of React and Vue
// that they load; an empty name means none.
func New(npm string) http.Handler {
	mux := http.NewServeMux()
	static := http.FileServerFS(files)
	mux.Handle("GET /spa/", withPolicy(spaPolicy, static))
	mux.Handle("GET /tags/", withPolicy(tagPolicy, static))
	if npm != "" {
		mux.Handle("GET /tags/npm/", withPolicy(tagPolicy, http.StripPrefix("/tags/npm/", http.FileServer(http.Dir(npm)))))
	}
	return mux
}

// withPolicy returns a handler that sets the headers of a front end's pages.
func withPolicy(policy string, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		// WeChat's servers get the frame's requests, but not this page's address.
		w.Header().Set("Referrer-Policy", "same-origin")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		pages.ServeHTTP(w, r)
	})
}
