package gateway

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
)

// lookupInterval is the time after which the name of a processor is looked up again. gRPC looks no name up more often
// than every 30 s.
var lookupInterval = 30 * time.Second

// balance distributes calls over all addresses of a processor's name, each in turn. By itself, gRPC uses one address
// and looks a name up only when a connection breaks, so it would never call a new pod of a headless Service.
func balance() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		grpc.WithDisableServiceConfig(), // none is looked up in TXT records
		grpc.WithResolvers(periodic{resolver.Get("dns")}),
	}
}

// periodic makes resolvers that look their name up every lookupInterval.
type periodic struct{ resolver.Builder }

// Build implements resolver.Builder.
func (b periodic) Build(target resolver.Target, cc resolver.ClientConn, o resolver.BuildOptions) (resolver.Resolver, error) {
	r, err := b.Builder.Build(target, cc, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		again := time.NewTicker(lookupInterval)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
				r.ResolveNow(resolver.ResolveNowOptions{})
			}
		}
	}()
	return closer{r, cancel}, nil
}

// closer is a resolver that ends its lookups when it is closed.
type closer struct {
	resolver.Resolver
	end context.CancelFunc
}

// Close implements resolver.Resolver.
func (c closer) Close() {
	c.end()
	c.Resolver.Close()
}
