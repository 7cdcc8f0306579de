package functions

import "imageflow.dev/internal/imaging"

// Renditions makes several outputs of one image.
type Renditions[Req, Resp any] struct {
	// Split returns the requests of all outputs, each as the request of a job of its own: the main output's first, and
	// then the others in their order, whose field Field has.
	Split func(Req) []Req
	// Field is the name of the request's field that lists the other outputs. The fields of its items have the names of the
	// fields of the request that they replace, or of its output image.
	Field string
	// Join adds the responses of the other outputs to the response of the main one.
	Join func(main Resp, others []Resp)
	// Share returns what lets Apply decode the image of the inputs, which are of the same image, once for all requests.
	Share func([]Req, []Input) *imaging.Share
}

// untypedRenditions returns d for any request and response, or nil if d is nil.
func untypedRenditions[Req Request, Resp Response](d *Renditions[Req, Resp]) *Renditions[Request, Response] {
	if d == nil {
		return nil
	}
	return &Renditions[Request, Response]{
		Field: d.Field,
		Split: func(r Request) []Request { return converted[Request](d.Split(r.(Req))) },
		Join:  func(main Response, others []Response) { d.Join(main.(Resp), converted[Resp](others)) },
		Share: func(requests []Request, inputs []Input) *imaging.Share {
			return d.Share(converted[Req](requests), inputs)
		},
	}
}

// converted returns values as another type that they have.
func converted[To, From any](all []From) (out []To) {
	for _, v := range all {
		out = append(out, any(v).(To))
	}
	return out
}
