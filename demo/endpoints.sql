CREATE OR REPLACE ENDPOINT busiest (state VARCHAR DEFAULT 'CA', n INTEGER DEFAULT 10)
WITH (description = 'The busiest airports of a state')
AS SELECT a.iata, a.name, a.city, count(*) AS flights, round(avg(f.delay), 1) AS avg_delay
   FROM flights f JOIN airports a ON a.iata = f.origin
   WHERE a.state = $state
   GROUP BY ALL
   ORDER BY flights DESC, iata
   LIMIT $n;

CREATE OR REPLACE ENDPOINT route (origin VARCHAR, destination VARCHAR)
WITH (description = 'How punctual a route is')
AS SELECT count(*) AS flights, median(delay) AS median_delay, quantile_cont(delay, 0.95) AS p95_delay,
          max(date) AS last_departure
   FROM flights
   WHERE origin = $origin AND destination = $destination;
