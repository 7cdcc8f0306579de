package cluster

import "context"

// Bearer sends a token with every gRPC call, if it is not empty.
type Bearer string

// GetRequestMetadata returns the header with the token.
func (b Bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if b == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity is false, since a forwarded port and addresses within a cluster have no TLS.
func (Bearer) RequireTransportSecurity() bool { return false }
