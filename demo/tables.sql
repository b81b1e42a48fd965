CREATE TABLE IF NOT EXISTS airports (
    iata      VARCHAR PRIMARY KEY,
    name      VARCHAR,
    city      VARCHAR,
    state     VARCHAR,
    country   VARCHAR,
    latitude  DOUBLE,
    longitude DOUBLE
);
