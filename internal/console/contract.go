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

// maxContractBytes bounds the description of the gateway's API, which has 160 kB.
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
	Properties  map[string]struct{ Description string }
}

// readTexts returns the texts of the components of an OpenAPI description.
func readTexts(description io.Reader) (texts, error) {
	var d struct{ Components struct{ Schemas texts } }
	err := json.NewDecoder(description).Decode(&d)
	return d.Components.Schemas, err
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
	read, err := readTexts(io.LimitReader(answer.Body, maxContractBytes))
	if err != nil {
		return nil, err
	}
	return c.known(read), nil
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
	return t[message].Properties[field].Description
}
