// The gateway that one writes in Go: net/http, encoding/json and franz-go, each event checked, the whole batch awaited.
//
// It checks no ownership, limits no rate and has no metrics.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	maxReasons    = 5
	maxTokensKept = 20_000
	linger        = 5 * time.Millisecond
)

type rejection struct {
	Index   int    `json:"index"`
	Message string `json:"message"`
}

type reply struct {
	Accepted int         `json:"accepted"`
	Rejected int         `json:"rejected"`
	Sample   []rejection `json:"rejected_reasons_sample"`
}

type caller struct {
	userID    string
	expiresAt time.Time
}

type gateway struct {
	kafka   *kgo.Client
	secret  []byte
	mutex   sync.Mutex
	callers map[string]caller // by token
}

func (g *gateway) ingest(w http.ResponseWriter, r *http.Request) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	user, err := g.userOf(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), now)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	batch, err := read(http.MaxBytesReader(w, r.Body, maxBodyBytes), r.ContentLength)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	records := make([]*kgo.Record, 0, len(batch.Events))
	answer := reply{Sample: []rejection{}}
	for i := range batch.Events {
		record, err := recordOf(&batch.head, &batch.Events[i], user, now)
		if err != nil {
			answer.reject(i, err)
			continue
		}
		records = append(records, record)
	}
	if err := g.kafka.ProduceSync(r.Context(), records...).FirstErr(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer.Accepted = len(records)
	body, _ := json.Marshal(answer)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	w.Write(body)
}

func (r *reply) reject(index int, err error) {
	r.Rejected++
	if len(r.Sample) < maxReasons {
		r.Sample = append(r.Sample, rejection{index, err.Error()})
	}
}

// userOf verifies a token once and remembers whose it is.
func (g *gateway) userOf(token string, now time.Time) (string, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	known, ok := g.callers[token]
	if !ok {
		claims := jwt.RegisteredClaims{}
		key := func(*jwt.Token) (any, error) { return g.secret, nil }
		_, err := jwt.ParseWithClaims(token, &claims, key, jwt.WithValidMethods([]string{"HS256"}),
			jwt.WithExpirationRequired())
		if err != nil {
			return "", err
		}
		if !isUUID(claims.Subject) {
			return "", errors.New("the token's sub is not a UUID")
		}
		known = caller{strings.ToLower(claims.Subject), claims.ExpiresAt.Time}
		if len(g.callers) >= maxTokensKept {
			clear(g.callers)
		}
		g.callers[token] = known
	}
	if !known.expiresAt.After(now) {
		return "", errors.New("the token has expired; log in again")
	}
	return known.userID, nil
}

// recordOf returns an event as it goes into Kafka.
func recordOf(said *head, e *event, user string, now time.Time) (*kgo.Record, error) {
	if len(e.Payload) == 0 {
		e.Payload = json.RawMessage("{}")
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	session := strings.ToLower(e.SessionID)
	value, err := json.Marshal(envelope{
		id, 1, e.EventType, now, e.ClientTS, e.Seq, session, user, e.QuestionID, e.Payload, *said,
	})
	return &kgo.Record{Key: []byte(session), Value: value}, err
}

func main() {
	host, port := flag.String("host", "127.0.0.1", "address"), flag.String("port", "8000", "port")
	flag.Parse()
	uuid.EnableRandPool()
	kafka, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS"), ",")...),
		kgo.DefaultProduceTopic(os.Getenv("ATTEMPTLOG_TOPIC")),
		kgo.RequiredAcks(kgo.AllISRAcks()), // and idempotent, which is franz-go's default
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(linger),
	)
	if err != nil {
		log.Fatal(err)
	}
	g := &gateway{kafka: kafka, secret: []byte(os.Getenv("ATTEMPTLOG_JWT_SECRET")), callers: map[string]caller{}}
	http.HandleFunc("POST /v1/telemetry/events", g.ingest)
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := kafka.Ping(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	log.Fatal(http.ListenAndServe(*host+":"+*port, nil))
}
