package scangate

import (
	"net/http"
	"net/netip"
	"time"
)

// limitWindow is the time that limits per address count by.
const limitWindow = time.Minute

// limit counts what an address does, and returns errTooMany when that is more
// than Config.AddressLimit in a minute.
func (g *Gate) limit(r *http.Request, what string) error {
	for i, network := range g.networks(r) {
		n, err := g.state.Add(r.Context(), "limit:"+what+":"+network, limitWindow)
		if err != nil {
			return wrap("counting requests", err)
		}
		if n > int64(g.config.AddressLimit)*networkFactors[i] {
			g.happened(r, Event{Name: EventLimited, Reason: what})
			return errTooMany
		}
	}
	return nil
}

// networkFactors are how many times Config.AddressLimit each of an address's
// networks has.
var networkFactors = [...]int64{1, 5}

// address is the client's address, or "" if there is none. An IPv4 address that is
// mapped to IPv6 is the same as the plain one.
func (g *Gate) address(r *http.Request) string {
	addr := g.config.ClientIP(r)
	if !addr.IsValid() {
		return ""
	}
	return addr.Unmap().WithZone("").String()
}

// networks are what limits count by: an IPv4 address; or the /64 that one IPv6
// subscriber has, and the /48 that a site has, out of which one could take
// 65,536 of those.
func (g *Gate) networks(r *http.Request) []string {
	addr := g.config.ClientIP(r).Unmap().WithZone("")
	if !addr.Is6() {
		return []string{addr.String()}
	}
	subscriber, _ := addr.Prefix(64) // both are in range
	site, _ := addr.Prefix(48)
	return []string{subscriber.String(), site.String()}
}

// remoteAddr is the address of the connection's other end.
func remoteAddr(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr()
}
