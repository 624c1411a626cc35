package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/valyala/fasthttp"
)

// Post sends a body and returns status and text of the answer. Without an answer
// the status is 0 and the text says why. encoding is that of the body; "": none.
func Post(client *fasthttp.Client, url, encoding string, body []byte) (status int, answer string) {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI(url)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	if encoding != "" {
		req.Header.SetContentEncoding(encoding)
	}
	req.SetBodyRaw(body)
	if err := client.Do(req, res); err != nil {
		return 0, err.Error()
	}
	return res.StatusCode(), string(res.Body())
}

// PostOK is Post of a plain body, and fails unless the answer is 200.
func PostOK(client *fasthttp.Client, url string, body []byte) (answer string, err error) {
	status, answer := Post(client, url, "", body)
	if status != fasthttp.StatusOK {
		return "", fmt.Errorf("POST %s: status %d: %s", url, status, answer)
	}
	return answer, nil
}

// Status reads what the server at url says of itself into v, as JSON.
func Status(url string, v any) error {
	status, body, err := fasthttp.Get(nil, url+"/api/v1/status")
	if err != nil {
		return err
	}
	if status != fasthttp.StatusOK {
		return fmt.Errorf("status %d: %s", status, body)
	}
	return json.Unmarshal(body, v)
}

// Quantile sorts the list and returns the value that the fraction q of it is
// below, to 10 µs; 0 of an empty list.
func Quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(len(list)-1, int(q*float64(len(list))))].Round(10 * time.Microsecond)
}
