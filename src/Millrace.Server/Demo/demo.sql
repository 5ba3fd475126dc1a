-- The demo's own tables, apart from everything else, and one more pending order for each run.
CREATE SCHEMA IF NOT EXISTS sample;

CREATE TABLE IF NOT EXISTS sample.stock (
    sku      text    PRIMARY KEY,
    on_hand  integer NOT NULL,
    reserved integer NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS sample.orders (
    id       bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email    text    NOT NULL,
    sku      text    NOT NULL,
    quantity integer NOT NULL,
    status   text    NOT NULL DEFAULT 'pending',
    tracking text
);

INSERT INTO sample.stock AS stock (sku, on_hand)
VALUES ('WHEEL-26', 100)
ON CONFLICT (sku) DO UPDATE SET on_hand = stock.on_hand + 2;

INSERT INTO sample.orders (email, sku, quantity)
VALUES ('ada@example.com', 'WHEEL-26', 2);
