package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	maxBodyBytes    = 320 * 1024
	maxEvents       = 50
	maxPayloadBytes = 4096 // as compact JSON
	maxSeq          = 1<<31 - 1
	uuidChars       = 36 // uuid.Validate takes other forms too
)

var (
	eventTypes = []string{
		"SESSION_CREATED", "SESSION_SUBMITTED", "SESSION_EXPIRED", "REVIEW_OPENED", "QUESTION_VIEWED", "NAVIGATE_NEXT",
		"NAVIGATE_PREV", "NAVIGATE_JUMP", "ANSWER_SELECTED", "ANSWER_CHANGED", "MARK_FOR_REVIEW_TOGGLED", "PAUSE_BLUR",
	}
	sources     = []string{"web", "mobile", "api"}
	dropReasons = []string{"invalid", "too_large", "queue_full", "rejected", "expired", "closed"}
	oldest      = time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)
	youngest    = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) // is too young
)

// head is what a request says once, and each of its envelopes again.
type head struct {
	Source   *string          `json:"source"`
	StreamID *string          `json:"stream_id,omitempty"`
	SentAt   *time.Time       `json:"sent_at,omitempty"`
	Dropped  map[string]int64 `json:"dropped,omitempty"`
}

type event struct {
	EventType  string          `json:"event_type"`
	ClientTS   *time.Time      `json:"client_ts"`
	Seq        *int64          `json:"seq"`
	SessionID  string          `json:"session_id"`
	QuestionID *string         `json:"question_id"`
	Payload    json.RawMessage `json:"payload"`

	malformed error
}

type request struct {
	head
	Events []event `json:"events"`
}

type envelope struct {
	ID           uuid.UUID       `json:"id"`
	EventVersion int             `json:"event_version"`
	EventType    string          `json:"event_type"`
	EventTS      time.Time       `json:"event_ts"`
	ClientTS     *time.Time      `json:"client_ts"`
	Seq          *int64          `json:"seq"`
	SessionID    string          `json:"session_id"`
	UserID       string          `json:"user_id"`
	QuestionID   *string         `json:"question_id"`
	PayloadJSON  json.RawMessage `json:"payload_json"`
	head
}

// read returns a checked batch; an event that cannot be read is malformed and harms no other.
func read(body io.Reader, length int64) (*request, error) {
	var text bytes.Buffer
	text.Grow(int(max(0, min(length, maxBodyBytes))) + bytes.MinRead)
	if _, err := text.ReadFrom(body); err != nil {
		return nil, err
	}
	batch := &request{}
	if decode(text.Bytes(), batch) != nil {
		var err error
		if batch, err = readOneByOne(text.Bytes()); err != nil {
			return nil, err
		}
	}
	return batch, batch.check()
}

func readOneByOne(text []byte) (*request, error) {
	var parts struct {
		head
		Events []json.RawMessage `json:"events"`
	}
	if err := decode(text, &parts); err != nil {
		return nil, err
	}
	batch := &request{parts.head, make([]event, len(parts.Events))}
	for i, part := range parts.Events {
		batch.Events[i].malformed = decode(part, &batch.Events[i])
	}
	return batch, nil
}

func decode(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something follows the JSON")
	}
	return nil
}

func (r *request) check() error {
	for reason, count := range r.Dropped {
		if !slices.Contains(dropReasons, reason) || count < 0 || count > maxSeq {
			return errors.New("dropped: must be counts by reason")
		}
	}
	switch {
	case len(r.Events) < 1 || len(r.Events) > maxEvents:
		return errors.New("events: must be 1 to 50")
	case r.Source != nil && !slices.Contains(sources, *r.Source):
		return errors.New("source: must be web, mobile or api")
	case !isUUIDOrNil(r.StreamID):
		return errors.New("stream_id: must be a UUID")
	case !isInCalendar(r.SentAt):
		return errors.New("sent_at: must be in the calendar")
	}
	return nil
}

func (e *event) check() error {
	switch {
	case e.malformed != nil:
		return e.malformed
	case !slices.Contains(eventTypes, e.EventType):
		return errors.New("event_type: is unknown")
	case !isUUID(e.SessionID):
		return errors.New("session_id: must be a UUID")
	case !isInCalendar(e.ClientTS):
		return errors.New("client_ts: must be in the calendar")
	case e.Seq != nil && (*e.Seq < 0 || *e.Seq > maxSeq):
		return errors.New("seq: is out of bounds")
	case !isUUIDOrNil(e.QuestionID):
		return errors.New("question_id: must be a UUID")
	}
	return checkPayload(e.Payload)
}

func checkPayload(payload json.RawMessage) error {
	if payload[0] != '{' {
		return errors.New("payload: must be a JSON object")
	}
	if len(payload) > maxPayloadBytes {
		var compact bytes.Buffer
		if json.Compact(&compact, payload); compact.Len() > maxPayloadBytes {
			return errors.New("payload: is over 4096 bytes")
		}
	}
	const nul = `\u0000` // unless the backslash is itself escaped
	if bytes.Contains(payload, []byte(nul)) && bytes.Contains(bytes.ReplaceAll(payload, []byte(`\\`), nil), []byte(nul)) {
		return errors.New("payload: holds the character U+0000")
	}
	return nil
}

func isUUID(text string) bool { return len(text) == uuidChars && uuid.Validate(text) == nil }

func isUUIDOrNil(text *string) bool { return text == nil || isUUID(*text) }

func isInCalendar(at *time.Time) bool { return at == nil || !at.Before(oldest) && at.Before(youngest) }
