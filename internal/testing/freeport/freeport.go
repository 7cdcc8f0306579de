// Package freeport finds ports for servers that tests start.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The ports lie below the range of net.ipv4.ip_local_port_range, from which the kernel
// takes the source ports of connections. A port of that range can be taken again between
// the moment when it is found and the moment when the server listens.
const first, last = 20000, 32767

var (
	mutex sync.Mutex
	given = map[int]bool{}
)

// Address returns a loopback address, host:port, at which no server listens. It returns
// each address once in the life of the process. It panics if all ports are in use.
func Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(Port())) }

// Port returns the port of an Address.
func Port() int {
	mutex.Lock()
	defer mutex.Unlock()
	for range 10 * (last - first) {
		port := first + rand.IntN(last-first+1)
		if given[port] {
			continue
		}
		given[port] = true
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	panic("freeport: no port is free")
}
