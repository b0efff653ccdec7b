package wechattest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
)

// certificateTTL is the life of the certificates of [WeChat.ServeTLS].
const certificateTTL = 24 * time.Hour

// hosts are WeChat's hosts that the simulator stands for.
var hosts = []string{
	"open.weixin.qq.com", "mp.weixin.qq.com", "api.weixin.qq.com", "api2.weixin.qq.com",
	"sh.api.weixin.qq.com", "sz.api.weixin.qq.com", "hk.api.weixin.qq.com",
}

// TLSServer serves a simulator as https://api.weixin.qq.com and WeChat's other hosts, for
// clients whose hosts are built in. Its certificate is signed by an authority that lives as
// long as the server. Go clients need Transport only. Other programs have to trust CA, and to
// connect to Addr in place of Hosts.
type TLSServer struct {
	*WeChat
	// Hosts are the names of WeChat's hosts that the server stands for.
	Hosts []string
	// Addr is the loopback address, host:port.
	Addr string
	// CA is the certificate of the authority, PEM. Node reads the file that
	// NODE_EXTRA_CA_CERTS names.
	CA []byte
}

// ServeTLS starts a server for w on a loopback address. It stops when t ends.
func (w *WeChat) ServeTLS(t testing.TB) *TLSServer {
	t.Helper()
	certificate, authority, err := newCertificate()
	if err != nil {
		t.Fatalf("wechattest: creating certificates: %v", err)
	}
	addr, _ := listen(t, w, func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{
			Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		})
	})
	return &TLSServer{WeChat: w, Hosts: slices.Clone(hosts), Addr: addr, CA: authority}
}

// CAPool returns a pool with the server's authority alone.
func (s *TLSServer) CAPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CA)
	return pool
}

// Transport returns a transport that leads the server's Hosts to the server, and trusts
// nothing but its certificate. It connects to no other host. A client that has no setting for
// its transport uses [http.DefaultTransport], which a test can replace until its end.
func (s *TLSServer) Transport() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(addr)
			if err != nil || !slices.Contains(hosts, host) {
				return nil, &net.AddrError{Err: "not one of WeChat's hosts", Addr: addr}
			}
			return new(net.Dialer).DialContext(ctx, network, s.Addr)
		},
		TLSClientConfig: &tls.Config{RootCAs: s.CAPool(), MinVersion: tls.VersionTLS12},
	}
}

// newCertificate returns a certificate for the hosts, and the certificate of its authority in
// PEM.
func newCertificate() (tls.Certificate, []byte, error) {
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wechattest"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateTTL),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		// The authority is trusted for these names only.
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: hosts,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, serverKey.Public(), authorityKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pair := tls.Certificate{Certificate: [][]byte{serverDER}, PrivateKey: serverKey}
	return pair, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER}), nil
}
