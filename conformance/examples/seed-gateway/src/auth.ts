import type { IncomingMessage } from 'node:http';
import jwt from 'jsonwebtoken';
import type { User } from './types.js';

/** The user of the token in the query, or null. */
export function authenticate(request: IncomingMessage): User | null {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const token = url.searchParams.get('token');
  if (!token) return null;

  try {
    const payload = jwt.verify(token, process.env['JWT_SECRET'] ?? 'secret') as jwt.JwtPayload;
    return { userId: payload['userId'], email: payload['email'], role: payload['role'] };
  } catch {
    return null;
  }
}
