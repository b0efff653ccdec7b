package main

import (
	"embed"
	"net/http"
)

//go:embed tags
var tagFiles embed.FS

// newTags serves pages below /tags/ that use the gate's element scangate-login: plain.html,
// react.html and vue.html. The folder npm has the files of React and Vue that they load; an
// empty name means none.
func newTags(npm string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/tags/", http.FileServerFS(tagFiles))
	if npm != "" {
		mux.Handle("/tags/npm/", http.StripPrefix("/tags/npm/", http.FileServer(http.Dir(npm))))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A strict policy is enough for the element.
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}
