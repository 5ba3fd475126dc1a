-- The tables that the samples work on (order-fulfilment's are made by the demo). They may be created again and again.
CREATE SCHEMA IF NOT EXISTS sample;

CREATE TABLE IF NOT EXISTS sample.staging (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text, amount numeric, loaded_at timestamptz);
CREATE TABLE IF NOT EXISTS sample.revenue (customer text PRIMARY KEY, amount numeric NOT NULL);
CREATE TABLE IF NOT EXISTS sample.rejected (at timestamptz NOT NULL DEFAULT now(), batch jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS sample.outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, recipient text NOT NULL, subject text NOT NULL);
CREATE TABLE IF NOT EXISTS sample.shops (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
CREATE TABLE IF NOT EXISTS sample.sales (shop_id bigint NOT NULL, day date NOT NULL, amount numeric NOT NULL);
CREATE TABLE IF NOT EXISTS sample.daily_totals (day date PRIMARY KEY, shops bigint NOT NULL, amount numeric NOT NULL);
CREATE TABLE IF NOT EXISTS sample.sessions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, expires_at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS sample.maintenance (night timestamptz PRIMARY KEY, ok boolean NOT NULL, message text);
CREATE TABLE IF NOT EXISTS sample.inventory (item text PRIMARY KEY, free integer NOT NULL);
CREATE TABLE IF NOT EXISTS sample.messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb NOT NULL, taken_at timestamptz, done_at timestamptz, failed text);
CREATE TABLE IF NOT EXISTS sample.payments (reference text PRIMARY KEY, amount numeric NOT NULL);
CREATE TABLE IF NOT EXISTS sample.documents (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL, embedding jsonb);
CREATE TABLE IF NOT EXISTS sample.regional_sales (region text NOT NULL, day date NOT NULL, amount numeric NOT NULL);
CREATE TABLE IF NOT EXISTS sample.reports (month text PRIMARY KEY, document jsonb NOT NULL);
