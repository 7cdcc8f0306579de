package gateway_test

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver/dns"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/processors"
)

// TestDial_callsAllPods: calls are distributed over the addresses of a name, and an address that the name gets later
// is called, too, without an error in between.
func TestDial_callsAllPods(t *testing.T) {
	gateway.SetLookupInterval(20 * time.Millisecond)
	dns.SetMinResolutionInterval(time.Millisecond)
	t.Cleanup(func() { gateway.SetLookupInterval(30 * time.Second); dns.SetMinResolutionInterval(30 * time.Second) })
	first, port := serveHealth(t, "127.0.0.1:0")
	second, _ := serveHealth(t, "127.0.0.2:"+port)
	server := startNames(t)
	server.addresses.Store(&[]string{first})
	conns, err := gateway.Dial(func(processors.Info) string { return fmt.Sprintf("dns://%s/pods.test:%s", server, port) }, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conns.Close() })
	answered := map[string]int{}
	call := func() {
		t.Helper()
		var p peer.Peer
		if _, err := grpc_health_v1.NewHealthClient(conns["resize"]).Check(
			t.Context(), &grpc_health_v1.HealthCheckRequest{}, grpc.Peer(&p)); err != nil {
			t.Fatal(err)
		}
		host, _, _ := net.SplitHostPort(p.Addr.String())
		answered[host]++
	}
	for range 20 {
		call()
	}
	server.addresses.Store(&[]string{first, second})
	for answered[second] == 0 && t.Context().Err() == nil {
		call()
		time.Sleep(time.Millisecond)
	}
	clear(answered)
	for range 100 {
		call()
	}
	if answered[first] < 40 || answered[second] < 40 {
		t.Errorf("calls by address: %v", answered)
	}
}

// serveHealth serves gRPC health and returns its host and port.
func serveHealth(t *testing.T, address string) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	host, port, _ = net.SplitHostPort(l.Addr().String())
	return host, port
}

// names is a DNS server with one name.
type names struct {
	net.PacketConn
	addresses atomic.Pointer[[]string]
}

func (n *names) String() string { return n.LocalAddr().String() }

func startNames(t *testing.T) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	n := &names{PacketConn: conn}
	go n.serve()
	return n
}

// serve answers questions for IPv4 addresses until the connection is closed. To other questions, the answer is empty.
func (n *names) serve() {
	buffer := make([]byte, 1500)
	for {
		size, from, err := n.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.Additionals = true, nil
		for _, address := range *n.addresses.Load() {
			if m.Questions[0].Type == dnsmessage.TypeA {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(address).To4())},
				})
			}
		}
		if packet, err := m.Pack(); err == nil {
			_, _ = n.WriteTo(packet, from)
		}
	}
}
