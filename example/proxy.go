package main

import (
	"net/http"
	"net/netip"
)

// clientIP returns the function for Config.ClientIP. Without -behind-proxy it is
// nil, so that the gate uses the address of the connection.
func (o *options) clientIP() func(*http.Request) netip.Addr {
	// Without a proxy, a client could set X-Real-IP and so choose its address.
	if !o.behindProxy {
		return nil
	}
	return realIP
}

// realIP returns the client's address from X-Real-IP. The proxy overwrites that
// header in every request; a client can forge all others. The program must listen
// where only the proxy can connect.
func realIP(r *http.Request) netip.Addr {
	address, _ := netip.ParseAddr(r.Header.Get("X-Real-IP"))
	return address
}
