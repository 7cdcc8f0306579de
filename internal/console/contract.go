package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// maxContractBytes bounds the description of the gateway's API, which has 140 kB.
const maxContractBytes = 4 << 20

// contractTimeout bounds how long a page waits for the description, without which it has only less help.
const contractTimeout = 5 * time.Second

// contract has the texts of the contract, which the gateway describes in OpenAPI. It reads them once.
type contract struct {
	gateway http.RoundTripper

	mu    sync.Mutex
	texts texts
}

// texts are the comments of the contract, by the name of the message or enum.
type texts map[string]definition

type definition struct {
	Description string
	Properties  map[string]struct{ Title, Description string }
}

// read returns the texts. Without them the controls have names, types and ranges, but no help.
func (c *contract) read(ctx context.Context) (texts, error) {
	if known := c.known(nil); known != nil {
		return known, nil
	}
	if c.gateway == nil {
		return nil, errors.New("no gateway")
	}
	ctx, cancel := context.WithTimeout(ctx, contractTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/openapi.json", nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.gateway.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the gateway answers %s", answer.Status)
	}
	var description struct{ Definitions texts }
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxContractBytes)).Decode(&description); err != nil {
		return nil, err
	}
	return c.known(description.Definitions), nil
}

// known notes texts that have just been read, if any, and returns those that are known.
func (c *contract) known(read texts) texts {
	c.mu.Lock()
	defer c.mu.Unlock()
	if read != nil {
		c.texts = read
	}
	return c.texts
}

// of returns the text of a field.
func (t texts) of(message, field string) string {
	p := t[message].Properties[field]
	if p.Description == "" {
		return p.Title
	}
	return p.Description
}
