package waiting_test

import (
	"net/http"
	"time"
)

// A server behind a proxy accepts HTTP/2 without TLS, so that the proxy's requests share
// connections.
func Example_unencryptedHTTP2() {
	var handler http.Handler // the application, with the gate
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Addr: "127.0.0.1:8080", Handler: handler, Protocols: &protocols,
		ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
	}
	_ = server // log.Fatal(server.ListenAndServe())
}
