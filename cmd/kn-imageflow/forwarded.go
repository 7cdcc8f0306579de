package main

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// forwarding forwards a free port of this machine to a pod of a Service, until stop is called.
type forwarding func(ctx context.Context, service string) (address string, stop func(), err error)

// forwardedGateway connects to the gateway through forwarded ports. A port is of one pod, so it is used for one connection.
type forwardedGateway struct {
	forward forwarding

	mu       sync.Mutex // of what follows
	address  string     // of the port for the next connection; empty if that needs a new one
	stopPort func()     // nil if there is no port
}

// forwardGateway forwards the port for the first connection.
func forwardGateway(ctx context.Context, forward forwarding) (*forwardedGateway, error) {
	g := &forwardedGateway{forward: forward}
	if err := g.renew(ctx); err != nil {
		return nil, fmt.Errorf("%w; name the gateway with --gateway", err)
	}
	return g, nil
}

// renew forwards another port in place of the one before.
func (g *forwardedGateway) renew(ctx context.Context) (err error) {
	if g.stopPort != nil {
		g.stopPort()
		g.stopPort = nil
	}
	address, stop, err := g.forward(ctx, gatewayService)
	if err != nil {
		return err
	}
	g.address, g.stopPort = address, stop
	return nil
}

// dial connects to a pod that runs now.
func (g *forwardedGateway) dial(ctx context.Context, _ string) (net.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.address == "" {
		if err := g.renew(ctx); err != nil {
			return nil, err
		}
	}
	address := g.address
	g.address = ""
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// stop ends the forwarding.
func (g *forwardedGateway) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopPort != nil {
		g.stopPort()
		g.stopPort = nil
	}
}
