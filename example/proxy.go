package main

import (
	"net/http"
	"net/netip"
)

// clientIP says where requests come from: from the connection's other end, which
// is the gate's default, or from where the proxy in front says.
func (o *options) clientIP() func(*http.Request) netip.Addr {
	if !o.behindProxy {
		return nil
	}
	return realIP
}

// realIP reads the one header that the proxy sets, and that no client can get past
// it. All others are whatever somebody sent. The program has to listen where only
// the proxy reaches it.
func realIP(r *http.Request) netip.Addr {
	address, _ := netip.ParseAddr(r.Header.Get("X-Real-IP"))
	return address
}
