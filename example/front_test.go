package main

import (
	"net/http"
	"os"

	"github.com/scangate/scangate/example/spa/front"
)

// withFront adds the front ends of the folder spa to the application: the single-page
// application and the pages with one tag. The browser tests log in by them too.
func withFront(app http.Handler) http.Handler {
	pages := front.New(os.Getenv("SCANGATE_NPM"))
	mux := http.NewServeMux()
	mux.Handle("/", app)
	mux.Handle("GET /spa/", pages)
	mux.Handle("GET /tags/", pages)
	return mux
}
